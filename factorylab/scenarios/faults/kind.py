"""What a kind of fault is: what it needs, what it does to a node, and which evidence proves that it landed.

The supervisor injects and undoes a kind by what a node of any backend can do (`TargetNode`); the injector looks for its
evidence while it is held, and the audit judges by the same evidence in what the probe recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from factorylab.core.errors import LabError
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.vocabulary import DatabaseAnswer, ProcessStatus

Need = Literal["processes", "leaderships", "network", "switch", "small_disk", "versions"]
"""What a backend has to offer: its nodes' processes, as all do; leaderships that may be moved, as everywhere, and by a
privilege on brokers of others; a network that can drop packets; one that a node can be taken off; a database whose disk
can be filled; brokers that can start as any known version of Kafka."""
TICK_S = 0.02
TargetRole = Literal["broker", "processor", "database"]
BrokerRequest = Literal["demote", "reinstate", "evict"]
"""What can be asked of brokers: to give the leaderships of a broker to others, and to give them back; to take a member
out of its group."""
TARGET_ROLES: tuple[TargetRole, ...] = ("broker", "processor", "database")


@dataclass(frozen=True)
class ProcessState:
    """What the operating system says of a node's process at a moment (seconds of any one clock).

    `cpu_s`: CPU time that it and its children have used. `cpu_limit`: how many CPUs the kernel lets its
    control group use; None: no limit.
    """

    at_s: float
    pid: int | None
    status: ProcessStatus
    cpu_s: float = 0
    cpu_limit: float | None = None


class Leading(NamedTuple):
    """Who leads a partition at a moment, −1: nobody, and in which leader epoch."""

    leader: int
    epoch: int


class TargetNode(Protocol):
    """What a backend can do to one of its nodes; to be derived from. Each may be done twice.

    What takes back returns whether there was anything to take back. A backend that lacks what a kind of fault needs
    leaves out what only that one calls. What only some backends can do is a Protocol beside the kind that asks for it.
    """

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int | None:
        """Of its latest process, None once that is dead, or where it is none of the lab's."""

    @property
    def alive(self) -> bool:
        """May a fault hit it?"""
        return self.pid is not None

    def look(self) -> ProcessState:
        raise self._lacks("processes")

    @property
    def may_suffer(self) -> Collection[Need]:
        """Of the kinds that linger, those with these needs may hold on it although no undo record says so."""
        alone: tuple[Need, ...] = ("processes",)
        return alone

    async def kill(self) -> None:
        raise self._lacks("processes")

    async def terminate(self) -> None:
        """Ask it for an orderly end."""
        raise self._lacks("processes")

    async def gone(self) -> None:
        """Wait until it is dead; it is killed when the time for its orderly end is over."""
        raise self._lacks("processes")

    async def start(self) -> bool:
        """Start it again where it is dead; what else is held on it holds again."""
        raise self._lacks("processes")

    async def use_version(self, kafka: KafkaVersion) -> None:
        """Have a broker start as this version of Kafka from its next start on, on the data that it has."""
        raise self._lacks("versions")

    async def pause(self) -> None:
        raise self._lacks("processes")

    async def resume(self) -> bool:
        return False

    async def refuse(self) -> None:
        """Have the database take no connections."""
        raise self._lacks("processes")

    async def accept(self) -> bool:
        return False

    async def cut(self) -> bool:
        """Drop its packets as the open partitions say; whether that changed anything."""
        raise self._lacks("network")

    async def disconnect(self) -> None:
        raise self._lacks("switch")

    async def reconnect(self) -> bool:
        raise self._lacks("switch")

    async def fill(self) -> None:
        """Take the room that is left on its disk."""
        raise self._lacks("small_disk")

    async def empty(self) -> bool:
        raise self._lacks("small_disk")

    async def request(self, deed: BrokerRequest) -> None:
        """Have the brokers do this, with what the undo records of this node name of the run's own."""
        raise LabError(f"nothing can be asked of brokers about {self.name}")

    def _lacks(self, need: Need) -> LabError:
        return LabError(f"the backend of {self.name} offers no {need}")


@dataclass(frozen=True)
class Proof:
    """Do the looks prove it? In words that go on after the node's name."""

    ok: bool
    words: str


@dataclass(frozen=True)
class ProcessShows:
    """Looks at the node's process, before and since the injection, prove it by a rule. `what`: to be seen, in words.

    The injector looks each `every_s` seconds.
    """

    what: str
    proof: Callable[[Sequence[ProcessState], Sequence[ProcessState]], Proof]
    every_s: float = 0.01


@dataclass(frozen=True)
class DatabaseAnswers:
    """A client that connects and writes gets this answer."""

    answer: DatabaseAnswer


@dataclass(frozen=True)
class LinksBreak:
    """The links that it breaks, and no others, are broken: those that the fault's sides say, or all of the node's."""

    all_links: bool


@dataclass(frozen=True)
class LeadersShow:
    """Who leads the partitions of sensor-data, before and since the injection, proves it by a rule.

    `proof` is given the broker's number, who led each partition before, and all that was seen of each since.
    """

    proof: Callable[[int, Mapping[int, Leading], Mapping[int, Sequence[Leading]]], Proof]


@dataclass(frozen=True)
class MembershipEnds:
    """The member was put out of the group: for the injector by the coordinator's words, which knows it no more, or by
    another id or a later epoch; for the audit by the member's own client, which told it that its partitions are lost.
    """


KindEvidence = ProcessShows | DatabaseAnswers | LinksBreak | LeadersShow | MembershipEnds


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    What it does:
        effect: in a few words, for the help.
        doing: the beginning of a sentence about it, with {} in the place of the node.
        roles: to which nodes.
        inject: once; `hold` goes on until it is undone, `undo` takes it back. What was undone is said by `undone`, with
            the node's name in it; `undo_last`: only once the node runs.
        adds_up: of several at once each is undone by itself; others hold until the last is undone.
        at_least_s: how long it must be held for its evidence.
        undoes_itself: hold_s may be 0, and only says how long the run watches before the next fault.
        ends_process: what the process was about to do stays undone.
        stops: the process stands still. That is undone first: what stands still answers nobody.
        stops_in_turns: the process stops and goes on all the time, so no other fault is seen by its being stopped.
        by_request: it is a request to the brokers, about topics and the group of the run alone. No node is broken, so
            it can be done to brokers of somebody else.
        lingers: it may hold although no undo record says so: whoever heals everything undoes it in any case.

    What it needs: `needs` of the lab, and `instead`: what to use where that is lacking.

    Which options it has: `has_sides` (away_from, direction), `at_step` (of a processor's work), `can_wipe` (a broker's
    copy), `raises_features` (of the cluster, once all its brokers can).
    """

    name: str
    effect: str
    evidence: KindEvidence
    inject: Callable[[TargetNode], Awaitable[None]]
    hold: Callable[[TargetNode], Awaitable[None]] | None = None
    undo: Callable[[TargetNode], Awaitable[bool]] | None = None
    undone: str = ""
    doing: str = ""
    needs: Need = "processes"
    instead: str = ""
    roles: tuple[TargetRole, ...] = TARGET_ROLES
    undo_last: bool = False
    adds_up: bool = False
    at_least_s: float = 0
    undoes_itself: bool = False
    ends_process: bool = False
    stops: bool = False
    stops_in_turns: bool = False
    by_request: bool = False
    lingers: bool = False
    has_sides: bool = False
    at_step: bool = False
    can_wipe: bool = False
    raises_features: bool = False


def seen(status: ProcessStatus) -> ProcessShows:
    """The process was once seen so while the fault was held."""

    def proof(_: Sequence[ProcessState], since: Sequence[ProcessState]) -> Proof:
        found = any(look.status == status for look in since)
        return Proof(found, f"is {status}" if found else f"was not seen {status} ({len(since)} samples)")

    return ProcessShows(f"to be {status}", proof)


def _another(before: Sequence[ProcessState], since: Sequence[ProcessState]) -> Proof:
    """Another process runs than before."""
    if not before or before[-1].pid is None:
        return Proof(False, "was not seen to run before")
    old = before[-1].pid
    new = next((look.pid for look in since if look.status == "running" and look.pid != old), None)
    if new is None:
        return Proof(False, f"was not seen to run as another process than {old} ({len(since)} samples)")
    return Proof(True, f"is process {new}, no longer {old}")


ANOTHER_PROCESS = ProcessShows("to run as another process", _another)
ONLY_PROCESSES = (
    "brokers change their version only on --backend local, in a lab that a run starts for itself; "
    "'factorylab down' ends the one that is up"
)


async def back_at_once(node: TargetNode) -> None:
    """Start it as soon as it has ended by itself, however long that takes: whoever kills it sees no orderly end."""
    while node.pid is not None:
        await asyncio.sleep(TICK_S)
    await node.start()
