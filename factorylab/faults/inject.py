"""The timeline of a scenario's faults: inject, look for evidence, hold, heal.

Evidence is the operating system's word about the victim, never the injector's; the probe, a process of its own,
records the same independently, and the audit believes a fault only where the probe saw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from factorylab.clock import now_ns
from factorylab.cluster.base import Action, Cluster, Cut
from factorylab.errors import LabError, WaitTimeout
from factorylab.faults.targets import Roles, resolve
from factorylab.history import FaultStep, ProcessStatus, Step
from factorylab.scenario import Fault
from factorylab.waiting import wait_until

LANDED: dict[Action, ProcessStatus] = {"kill": "dead", "terminate": "dead", "pause": "paused"}
LANDS_WITHIN_S = 30.0  # a controlled shutdown of a loaded broker takes seconds
Write = Callable[[FaultStep], None]


@dataclass
class Timeline:
    """Runs the faults of one scenario. `write` journals each step; `say` tells a person."""

    cluster: Cluster
    roles: Roles
    write: Write
    say: Callable[[str], None]
    _nodes: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def play(self, faults: Sequence[Fault], until_s: float) -> None:
        """Play the whole fault window of `until_s` seconds; heals everything it injected, whatever happens."""
        moments = [(f.at_s, 1, number, f) for number, f in enumerate(faults)]
        moments += [(f.at_s + f.hold_s, 0, number, f) for number, f in enumerate(faults)]
        self.roles.look()
        opened = time.monotonic()
        try:
            for at_s, inject, number, fault in sorted(moments, key=lambda m: m[:3]):
                pause_until(opened + at_s)
                if inject:
                    self.inject(number, fault)
                else:
                    self.heal(number, fault)
            pause_until(opened + until_s)
        finally:
            self.cluster.heal()

    def inject(self, number: int, fault: Fault) -> None:
        """Resolve the role, inject, and look for evidence. A fault that cannot land is recorded, not raised."""
        try:
            nodes = resolve(fault.target, self.roles)
            for node in nodes:
                self._step(number, fault, node, "intended", self._describe(node))
        except LabError as error:
            self._step(number, fault, "", "skipped", str(error))
            self.say(f"{fault.kind} {fault.target} found no target: {error}")
            return
        self._nodes[number] = nodes
        for node in nodes:
            self._do(number, fault, node)
        for node in nodes:
            self._evidence(number, fault, node)

    def _do(self, number: int, fault: Fault, node: str) -> None:
        try:
            cut = Cut(fault.away_from, fault.direction) if fault.kind == "partition" else None
            self.cluster.inject(number, node, fault.kind, cut)
        except LabError as error:  # what is dead already cannot be paused
            self._step(number, fault, node, "no_evidence", str(error))
        else:
            self._step(number, fault, node, "injected", "")

    def _describe(self, node: str) -> str:
        """Its state and its roles, with what of it is hearsay."""
        words = [self.cluster.status(node), self.roles.of(node)]
        words += [f"from before: {', '.join(sorted(self.roles.stale))}"] if self.roles.stale else []
        self.say(f"{node} is {'; '.join(words)}")
        return "; ".join(words)

    def heal(self, number: int, fault: Fault) -> None:
        """Undo one fault and record what was done."""
        for node in self._nodes.get(number, ()):
            self._step(number, fault, node, "healing", "")
        done = self.cluster.heal(number)
        for node in self._nodes.get(number, ()):
            self._step(number, fault, node, "healed", f"{self.cluster.status(node)}; {', '.join(done)}")
            self.say(f"healed: {node} is {self.cluster.status(node)}")

    def _evidence(self, number: int, fault: Fault, node: str) -> None:
        wanted = LANDED[fault.kind]
        try:
            wait_until(
                lambda: self.cluster.status(node) == wanted,
                what=f"{node} to be {wanted}",
                timeout_s=min(LANDS_WITHIN_S, fault.hold_s),
                every_s=0.01,
            )
            self._step(number, fault, node, "evidence", f"{node} is {wanted}")
            self.say(f"{fault.kind} {fault.target}: {node} is {wanted}")
        except WaitTimeout as error:
            self._step(number, fault, node, "no_evidence", str(error))
            self.say(f"{fault.kind} {fault.target} did not land: {error}")

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


def pause_until(deadline: float) -> None:
    """Let time pass: the declared moment of a scenario, on the monotonic clock in seconds."""
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
