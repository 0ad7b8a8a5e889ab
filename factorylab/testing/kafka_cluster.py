"""The lab as a test sees it: three brokers and PostgreSQL, which it breaks for the length of a `with`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count

from pydantic import ValidationError

from factorylab.cluster import ready
from factorylab.cluster.admin import Admin
from factorylab.cluster.driver import Driver
from factorylab.cluster.faults.inject import LANDS_WITHIN_S, Timeline
from factorylab.cluster.faults.targets import Roles
from factorylab.core.errors import LabError, UsageError
from factorylab.core.vocabulary import AwayFrom, Direction
from factorylab.core.waiting import wait_until
from factorylab.history.tables import FaultStep
from factorylab.scenarios.model import Fault, Topology, explain
from factorylab.testing.asked import AdminUnderFault, require
from factorylab.testing.targets import aim_at

IN_SYNC_WITHIN_S = 60.0  # a frozen broker comes back within its session of 9 s, and copies what it has missed
DROPPED_WITHIN_S = 20.0
ISOLATED = "factorylab_isolated"  # the setting of pytest


class Topic(str):
    """The name of a topic, and where it is."""

    __slots__ = ("bootstrap",)
    bootstrap: str

    @classmethod
    def at(cls, bootstrap: str, name: str) -> Topic:
        topic = cls(name)
        topic.bootstrap = bootstrap
        return topic


@dataclass(frozen=True)
class Landed:
    """A fault that holds: on which nodes, and what proves it."""

    nodes: tuple[str, ...]
    evidence: tuple[str, ...]


class KafkaCluster:
    """A running lab, for one thread. Its ports stay the same, whatever is killed and started again.

    Each fault is a context: it is injected and its evidence awaited, the body runs, then it is undone, whatever the
    body raised, and every replica is in sync again. A target is one of `factorylab.testing.targets.TARGETS`.
    """

    def __init__(self, cluster: Driver, not_isolated: str = "") -> None:
        """`not_isolated`: why this machine cannot cut nodes off though it was asked to."""
        self._cluster, self._not_isolated = cluster, not_isolated
        self._admin = Admin(cluster.endpoints.bootstrap)
        self._numbers, self._held = count(), dict[int, Landed]()

    @property
    def bootstrap(self) -> str:
        """host:port,host:port,host:port in the order of broker ids."""
        return self._cluster.endpoints.bootstrap

    @property
    def database_url(self) -> str:
        """Of the lab's own database. It carries the password."""
        return self._cluster.endpoints.database_url

    @contextmanager
    def kill(self, target: str) -> Iterator[Landed]:
        """SIGKILL; started again after the body.

        Raises:
            UsageError: the target is none, or there is no such topic, partition or group.
            LabError: nobody plays it now, the fault did not land, or it could not be undone.
        """
        with self._fault(target, kind="kill") as landed:
            yield landed

    @contextmanager
    def pause(self, target: str) -> Iterator[Landed]:
        """SIGSTOP: it answers nobody, and its connections stay open; goes on after the body. Raises as `kill` does."""
        with self._fault(target, kind="pause") as landed:
            yield landed

    @contextmanager
    def restart(self, target: str) -> Iterator[Landed]:
        """Killed and started again at once: the body runs while it comes back. Raises as `kill` does."""
        with self._fault(target, kind="restart") as landed:
            yield landed

    @contextmanager
    def partition(
        self, target: str, away_from: AwayFrom = "brokers", direction: Direction = "both"
    ) -> Iterator[Landed]:
        """Packets between the target and the brokers, or everybody, are dropped, both ways or those that go "in" or
        "out". Raises as `kill` does; the test is skipped where this machine cannot do it."""
        if "partition" not in self._cluster.can:
            self._refuse_partition()
        with self._fault(target, kind="partition", away_from=away_from, direction=direction) as landed:
            yield landed

    def _refuse_partition(self) -> None:
        if self._not_isolated:
            import pytest

            pytest.skip(self._not_isolated)
        raise UsageError(
            "the brokers of this lab share one network, so none can be cut off: set "
            f"{ISOLATED} = true in pytest's configuration, and end a lab that is up with 'factorylab down'"
        )

    @contextmanager
    def topic(self, name: str, **settings: object) -> Iterator[Topic]:
        """A new topic, all of whose replicas are in sync; dropped after the body. `settings` are partitions (3) and
        profile ("safe": 3 replicas, min ISR 2; "factory": 2 replicas, min ISR 1).

        Raises:
            UsageError: there is one of that name, or a setting is wrong.
        """
        topology = topology_from({"profile": "safe", **settings})
        if name in self._admin.topics():
            raise UsageError(f"there is a topic {name!r} in this lab already: take another name")
        try:
            self._admin.create_topics([name], topology)
            self._admin.wait_full_isr(name, IN_SYNC_WITHIN_S)
            yield Topic.at(self.bootstrap, name)
        finally:
            self._admin.delete_topics([name])
            wait_until(
                lambda: name not in self._admin.topics(),
                what=f"the topic {name} to be gone",
                timeout_s=DROPPED_WITHIN_S,
                every_s=0.05,
            )

    @contextmanager
    def _fault(self, target: str, **what: str) -> Iterator[Landed]:
        aim, interrupted = aim_at(target), False
        fault = Fault.model_validate({"target": aim.target, "hold_s": LANDS_WITHIN_S, **what})
        number, steps = next(self._numbers), list[FaultStep]()
        with closing(AdminUnderFault(self.bootstrap, self._not_held())) as admin:
            require(admin, aim)
            timeline = Timeline(self._cluster, Roles(admin, aim.topic, aim.group), steps.append, lambda _: None)
            try:
                timeline.inject(number, fault)
                self._held[number] = _landed(target, steps)
                yield self._held[number]
            except (KeyboardInterrupt, SystemExit):  # the session ends: nobody waits for the replicas
                interrupted = True
                raise
            finally:
                self._held.pop(number, None)
                timeline.heal(number, fault)
                _raise_if_torn(target, steps)
                if not (interrupted or self._held):
                    self._wait_whole()

    def _not_held(self) -> int:
        """A broker that no fault holds, or the first where each is held."""
        held = {node for landed in self._held.values() for node in landed.nodes}
        return next((n for n, _ in enumerate(self.bootstrap.split(","), 1) if f"broker-{n}" not in held), 1)

    def _wait_whole(self) -> None:
        """Until everything answers and every replica is in sync."""
        ready.wait_ready(self._cluster.home, self._cluster.endpoints, IN_SYNC_WITHIN_S)
        for topic in sorted(self._admin.topics()):
            self._admin.wait_full_isr(topic, IN_SYNC_WITHIN_S)

    def close(self) -> None:
        """Give up the connections, then the lab: it is stopped, unless it was up before."""
        self._admin.close()
        self._cluster.close()


def topology_from(settings: Mapping[str, object]) -> Topology:
    """Raises UsageError, with what is wrong, where topics cannot be so."""
    try:
        return Topology.model_validate(settings)
    except ValidationError as error:
        raise UsageError(f"a topic cannot be so:\n{explain(error)}") from None


def _landed(target: str, steps: Sequence[FaultStep]) -> Landed:
    """What holds now. Raises LabError where a node was not hit, or nobody saw it."""
    if missed := [step for step in steps if step.step in {"skipped", "no_evidence"}]:
        raise LabError(f"the {missed[0].kind} of {target} did not land: {missed[0].evidence}")
    proven = [step for step in steps if step.step == "evidence"]
    return Landed(tuple(step.node for step in proven), tuple(step.evidence for step in proven))


def _raise_if_torn(target: str, steps: Sequence[FaultStep]) -> None:
    """Raises LabError where the network was not seen to be whole again after a fault that had landed."""
    healing = next((at for at, step in enumerate(steps) if step.step == "healing"), len(steps))
    if torn := [step for step in steps[healing:] if step.step == "no_evidence"]:
        raise LabError(f"the {torn[0].kind} of {target} is not healed: {torn[0].evidence}")
