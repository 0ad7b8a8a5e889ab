"""The timeline of a scenario's faults: inject, look for evidence, hold, heal.

Evidence is never the injector's word. For a process it is the operating system's; for a network fault it is the
reachability matrix: the links that it must break are broken, and no others, and after the healing all are whole. The
probe, a process of its own, records the same independently, and the audit believes a fault only where the probe saw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from factorylab.cluster.base import Cluster, Cut, Link, Own
from factorylab.cluster.capabilities import require
from factorylab.cluster.database_probe import answer_of
from factorylab.cluster.faults.link_evidence import Held, broken, surprises
from factorylab.cluster.faults.request_evidence import leaders_seen, removal_seen
from factorylab.cluster.faults.targets import Roles, resolve
from factorylab.cluster.views import GroupMember
from factorylab.core.clock import now_ns
from factorylab.core.errors import EnvironmentUnfit, LabError, UsageError, WaitTimeout
from factorylab.core.vocabulary import FROM_BEFORE, DatabaseAnswer, ProcessStatus, Step, WorkStep
from factorylab.core.waiting import wait_until
from factorylab.factory.store import crash_points
from factorylab.history.tables import FaultStep
from factorylab.scenarios.faults.kind import (
    DatabaseAnswers,
    LeadersShow,
    Leading,
    LinksBreak,
    MembershipEnds,
    ProcessShows,
    ProcessState,
)
from factorylab.scenarios.model import Fault

LANDS_WITHIN_S = 30.0  # a controlled shutdown of a loaded broker takes seconds
STEP_WITHIN_S = 60.0  # a rebalance, and with it the steps taken and revoking, waits for a session to end
REPLACED_WITHIN_S = 60.0
IN_SYNC_WITHIN_S = 90.0  # a broker that starts on a loaded host takes some ten seconds, and then it catches up
WHOLE_WITHIN_S = 10.0  # after a healing; a connection is tried again after 1, 3 and 7 s
Write = Callable[[FaultStep], None]


class Before(NamedTuple):
    """What was seen before an injection: of the processes of nodes that are broken, of who led each partition, and of
    the members of the group."""

    processes: Mapping[str, ProcessState]
    leaders: Mapping[int, Leading]
    members: tuple[GroupMember, ...]


@dataclass
class Timeline:
    """Runs the faults of one scenario. `write` journals each step; `say` tells a person.

    Where a fault waits for something to happen first, all later moments of the scenario move with it.
    """

    cluster: Cluster
    roles: Roles
    write: Write
    say: Callable[[str], None]
    steps_dir: Path | None = None  # where processors look for orders to stop at a step
    check: Callable[[], None] = lambda: None  # raises what makes the rest of the window vain
    _held: dict[int, Held] = field(default_factory=dict)
    _waited_s: float = 0  # for a step, a successor, replicas or an answer: what follows is that much later

    def play(self, faults: Sequence[Fault], until_s: float) -> None:
        """Play the whole fault window of `until_s` seconds; heals everything it injected, whatever happens."""
        # at the same moment: what was held is healed, then injected, then healed what is not held
        moments = [(f.at_s, 1, number, f) for number, f in enumerate(faults)]
        moments += [(f.at_s + f.hold_s, 0 if f.hold_s else 2, number, f) for number, f in enumerate(faults)]
        self.roles.look()
        opened = time.monotonic()
        try:
            for at_s, order, number, fault in sorted(moments, key=lambda m: m[:3]):
                pause_until(opened + self._waited_s + at_s, self.check)
                if order == 1:
                    self.inject(number, fault)
                else:
                    self.heal(number, fault)
            pause_until(opened + self._waited_s + until_s, self.check)
        finally:
            try:
                for number, held in list(self._held.items()):  # it was interrupted
                    self._undo(number, held, "")
            finally:
                self.cluster.heal()

    def inject(self, number: int, fault: Fault) -> None:
        """Resolve the role, inject, and look for evidence. A fault that cannot land is recorded, not raised."""
        try:
            if fault.in_sync_first:
                self._wait_in_sync()
            nodes = self._targets(fault)
            before = self._before(fault, nodes)
            for node in nodes:
                self._step(number, fault, node, "intended", self._describe(fault, node))
        except LabError as error:
            self._step(number, fault, "", "skipped", str(error))
            self.say(f"{fault.kind} {fault.target} is skipped: {error}")
            return
        if fault.step and not all(self._stands(number, fault, fault.step, node) for node in nodes):
            return
        self._held[number] = Held(fault, nodes)
        for node in nodes:
            self._do(number, fault, node)
        for node in nodes:
            self._evidence(number, fault, node, before)
            if fault.wipe:
                self._wipe(number, fault, node)
            if fault.raise_features:
                self._raise_features(number, fault, node)

    def _stands(self, number: int, fault: Fault, step: WorkStep, node: str) -> bool:
        """Have a processor stop itself at a step of its work; whether it did."""
        if self.steps_dir is None:
            raise UsageError(f"{fault.kind} at the step {step} needs a run: its processors look for orders")
        since = time.monotonic()
        crash_points.order(self.steps_dir, node, step)
        try:
            self._wait_status(node, "paused", f"{node} to stop at its step {step}", STEP_WITHIN_S)
        except WaitTimeout as error:
            crash_points.order_file(self.steps_dir, node).unlink(missing_ok=True)
            self._step(number, fault, node, "no_evidence", str(error))
            self.say(f"{fault.kind} {fault.target} did not land: {error}")
            return False
        self._waited_s += time.monotonic() - since
        self.say(f"{node} stands at its step {step}")
        return True

    def _wipe(self, number: int, fault: Fault, node: str) -> None:
        try:
            gone = self.cluster.wipe(node, self.roles.topic, int(fault.aim.which))
        except LabError as error:
            self._step(number, fault, node, "no_evidence", str(error))
        else:
            self._step(number, fault, node, "evidence", gone)
            self.say(f"{node}: {gone}")

    def _raise_features(self, number: int, fault: Fault, node: str) -> None:
        try:
            self._wait_in_sync()
            raised = self.roles.admin.raise_features()
        except LabError as error:
            self._step(number, fault, node, "no_evidence", str(error))
            self.say(f"features were not raised: {error}")
        else:
            self._step(number, fault, node, "evidence", raised)
            self.say(raised)

    def _wait_in_sync(self) -> None:
        """Until every replica of the cluster is in sync, inner topics included."""
        since, left = time.monotonic(), list[str]()

        def whole() -> bool:
            try:
                left[:] = self.roles.admin.out_of_sync()
            except WaitTimeout as error:
                left[:] = [str(error)]
            return not left

        what = "every replica of the cluster to be in sync"
        try:
            wait_until(whole, what=what, timeout_s=IN_SYNC_WITHIN_S, every_s=0.2, last_seen=lambda: ", ".join(left))
        finally:
            self._waited_s += time.monotonic() - since

    def _wait_replaced(self, fault: Fault, nodes: Sequence[str]) -> str:
        """Until another node plays the target's role; who, in words."""
        since = time.monotonic()
        found: list[str] = []

        def another() -> bool:
            with suppress(LabError):  # nobody plays it now
                found[:] = resolve(f"{fault.aim.role}:{fault.aim.which}", self.roles)
            return bool(found) and not set(found) & set(nodes)

        try:
            wait_until(another, what=f"another {fault.target}", timeout_s=REPLACED_WITHIN_S, every_s=0.2)
        except WaitTimeout as error:
            return f"not replaced: {error}"
        finally:
            self._waited_s += time.monotonic() - since
        return f"{', '.join(found)} is {fault.target} now"

    def _targets(self, fault: Fault) -> tuple[str, ...]:
        require({fault.kind}, self.cluster.can, f"this {self.cluster.backend} lab")
        if fault.step and not self.cluster.stands_at_steps:
            raise LabError("the first process of a container cannot stop itself at a step: take --backend local")
        return resolve(fault.target, self.roles)

    def _do(self, number: int, fault: Fault, node: str) -> None:
        try:
            cut = Cut(fault.away_from, fault.direction) if fault.declared.has_sides else None
            own, since = self._own(node) if fault.by_request else None, time.monotonic()
            self.cluster.inject(number, node, fault.kind, cut, own)
            self._waited_s += time.monotonic() - since if fault.by_request else 0
        except EnvironmentUnfit:  # whoever does it is gone: no fault can land any more, nor be undone
            raise
        except LabError as error:  # what is dead already cannot be paused
            self._step(number, fault, node, "no_evidence", str(error))
        else:
            self._step(number, fault, node, "injected", "")

    def _before(self, fault: Fault, nodes: Sequence[str]) -> Before:
        processes = {} if fault.by_request else {node: self.cluster.look(node) for node in nodes}
        if isinstance(fault.declared.evidence, MembershipEnds):
            self.roles.look("members")
        leaders = {p: Leading(view.leader, view.epoch) for p, view in self.roles.views.items()}
        return Before(processes, leaders, self.roles.members.members)

    def _own(self, node: str) -> Own:
        """What of the run a request about this node is about."""
        led = {p: view.replicas for p, view in self.roles.views.items() if node == f"broker-{view.leader}"}
        return Own(self.roles.topic, self.roles.group, led)

    def _state(self, fault: Fault, node: str) -> list[str]:
        """Of its process, in a word; of a node that is only asked, which may be somebody else's, none."""
        return [] if fault.by_request else [self.cluster.status(node)]

    def _describe(self, fault: Fault, node: str) -> str:
        """Its state and its roles, with what of it is hearsay."""
        words = [*self._state(fault, node), self.roles.of(node)]
        words += [f"{FROM_BEFORE}{', '.join(sorted(self.roles.stale))}"] if self.roles.stale else []
        self.say(f"{named(fault, node)} {'; '.join(words)}")
        return "; ".join(words)

    def heal(self, number: int, fault: Fault) -> None:
        """Undo one fault, once its target is replaced where it asks for that, and record what was done."""
        held = self._held.get(number, Held(fault, ()))
        self._undo(number, held, self._wait_replaced(fault, held.nodes) if fault.until_replaced and held.nodes else "")

    def _undo(self, number: int, held: Held, replaced: str) -> None:
        self._held.pop(number, None)
        fault = held.fault
        for node in held.nodes:
            self._step(number, fault, node, "healing", replaced)
        done = ", ".join(self.cluster.heal(number))
        torn = self._still_torn() if fault.on_network and held.nodes else ""
        for node in held.nodes:
            words = "; ".join([*self._state(fault, node), torn or done or "nothing was left to undo"])
            self._step(number, fault, node, "no_evidence" if torn else "healed", words)
            self.say(f"{'not ' * bool(torn)}healed: {named(fault, node)} {words}")

    def _still_torn(self) -> str:
        """What the matrix still shows though nothing should be cut; empty when it is whole."""
        try:
            self._wait_for_links("the network to be whole", WHOLE_WITHIN_S)
        except WaitTimeout as error:
            return str(error)
        return ""

    def _wait_for_links(self, what: str, timeout_s: float) -> list[Link]:
        """The reachability matrix as soon as it is as the held faults should have it."""
        seen: list[Link] = []

        def as_it_should() -> bool:
            seen[:] = self.cluster.reach()
            return bool(seen) and not surprises(seen, self._held.values())

        def differs() -> str:
            return ", ".join(surprises(seen, self._held.values())) or "no link was tried"

        wait_until(as_it_should, what=what, timeout_s=timeout_s, every_s=0.1, last_seen=differs)
        return seen

    def _evidence(self, number: int, fault: Fault, node: str, before: Before) -> None:
        timeout_s = LANDS_WITHIN_S if fault.declared.undoes_itself else min(LANDS_WITHIN_S, fault.hold_s)
        try:
            evidence = self._seen(fault, node, before, timeout_s)
        except WaitTimeout as error:
            self._step(number, fault, node, "no_evidence", str(error))
            self.say(f"{fault.kind} {fault.target} did not land: {error}")
        else:
            self._step(number, fault, node, "evidence", evidence)
            self.say(f"{fault.kind} {fault.target}: {evidence}")

    def _seen(self, fault: Fault, node: str, before: Before, timeout_s: float) -> str:
        """The evidence that the kind of fault asks for, in words. Raises WaitTimeout where there is none in time."""
        match fault.declared.evidence:
            case LeadersShow() as shows:
                return f"{node} {leaders_seen(self.roles, shows, node, before.leaders, timeout_s)}"
            case MembershipEnds():
                return f"{node} {removal_seen(self.roles, node, before.members, timeout_s)}"
            case LinksBreak():
                return self._cut_seen(fault, node, timeout_s)
            case DatabaseAnswers(answer):
                return self._answer_seen(node, answer, timeout_s)
            case ProcessShows() as shows:
                words = self._process_seen(shows, node, before.processes[node], timeout_s)
                return f"{node} {words}" + (f" at its step {fault.step}" if fault.step else "")

    def _process_seen(self, shows: ProcessShows, node: str, before: ProcessState, timeout_s: float) -> str:
        since: list[ProcessState] = []

        def proven() -> bool:
            since.append(self.cluster.look(node))
            return shows.proof([before], since).ok

        def words() -> str:
            return shows.proof([before], since).words

        what = f"{node} {shows.what}"
        wait_until(proven, what=what, timeout_s=timeout_s, every_s=shows.every_s, last_seen=words)
        return words()

    def _wait_status(self, node: str, wanted: ProcessStatus, what: str, timeout_s: float) -> None:
        wait_until(lambda: self.cluster.status(node) == wanted, what=what, timeout_s=timeout_s, every_s=0.01)

    def _answer_seen(self, node: str, wanted: DatabaseAnswer, timeout_s: float) -> str:
        url, told = self.cluster.endpoints.database_url, ["nothing"]

        def answers() -> bool:
            told[:] = [answer_of(url)]
            return told[0] == wanted

        wait_until(answers, what=f"{node} to answer {wanted!r}", timeout_s=timeout_s, last_seen=lambda: told[0])
        return f"{node} answers {wanted!r} to a client that connects and writes"

    def _cut_seen(self, fault: Fault, node: str, timeout_s: float) -> str:
        links = self._wait_for_links(f"the links of {node} to be cut and no others", timeout_s)
        own = [link for link in links if Held(fault, (node,)).breaks(link)]
        if not own:
            raise WaitTimeout(f"no link that a cut of {node} breaks was tried")
        return f"broken: {broken(own)}; of {len(links)} links {sum(link.ok for link in links)} are open"

    def _step(self, number: int, fault: Fault, node: str, step: Step, evidence: str) -> None:
        row = FaultStep(
            worker="runner",
            t_ns=now_ns(),
            fault=number,
            kind=fault.kind,
            target=fault.target,
            node=node,
            step=step,
            evidence=evidence,
        )
        self.write(row)


def named(fault: Fault, node: str) -> str:
    """The beginning of a line about a node: of its process, or of what was asked."""
    return f"{node}:" if fault.by_request else f"{node} is"


def pause_until(deadline: float, check: Callable[[], None] = lambda: None) -> None:
    """Let time pass: the declared moment of a scenario, on the monotonic clock in seconds. `check` raises what makes
    waiting vain."""
    while (left := deadline - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.2))
