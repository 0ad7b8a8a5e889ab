"""The interface of every backend: what the runner, the faults and the probe may ask of a cluster.

A *node* is a process of the system: broker-1, database, fleet-0, processor-1, probe. What a backend cannot do
it refuses with the reason and what to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from factorylab.cluster.secured import address_of
from factorylab.core.errors import LabError
from factorylab.core.vocabulary import AwayFrom, Direction, ProcessStatus
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import ProcessState

Role = Literal["broker", "database", "fleet", "processor", "probe"]
INFRASTRUCTURE: tuple[Role, ...] = ("broker", "database")  # always wanted; the others come and go with a run
Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and of how much; of 0 for news that is all said."""


@dataclass(frozen=True)
class Endpoints:
    """Where clients of the system connect. `database_url` carries a password: never log it."""

    bootstrap: str  # host:port,host:port,host:port in the order of broker ids
    database_url: str = field(repr=False)

    def broker(self, number: int) -> str:
        """host:port of broker `number`."""
        return address_of(self.bootstrap, number)


class Cut(msgspec.Struct, frozen=True):
    """Which packets a network partition drops: to and from the (other) brokers or everybody, seen from the node."""

    away_from: AwayFrom = "brokers"
    direction: Direction = "both"


class Own(msgspec.Struct, frozen=True):
    """What of the run a request to the brokers is about: its topic and its group. `replicas`: of each partition of
    `topic` that the node leads, in their order."""

    topic: str
    group: str
    replicas: dict[int, tuple[int, ...]] = {}

    def check(self, prefix: str) -> None:
        """Raises LabError where a name lies outside the prefix: nothing there is ever touched."""
        if outside := [name for name in (self.topic, self.group) if not name.startswith(prefix)]:
            raise LabError(f"{', '.join(outside)} does not begin with the prefix {prefix!r}: it is not touched")


class Link(msgspec.Struct, frozen=True):
    """Can `source` (a node, or "host") open a connection to `target` over the network now?"""

    source: str
    target: str
    ok: bool


@dataclass(frozen=True)
class Node:
    """`pid` is None for what is not running."""

    name: str
    role: Role
    pid: int | None


@dataclass(frozen=True)
class WorkerSpec:
    """A process of the application to be started: `python -m <module>`, configured by its environment.

    With a `command` it is that program instead, one of the user's: it has `env` and nothing else, and all that it
    began, which carries the mark `family` (see `cluster.family`), ends with it. `paths` are what it opens on the disk:
    it reads the files and writes into the folders.
    """

    name: str
    role: Role
    module: str
    env: Mapping[str, str] = field(repr=False)
    log: Path  # stdout and stderr
    stop_s: float = 10  # grace between SIGTERM and SIGKILL
    paths: tuple[Path, ...] = ()
    command: tuple[str, ...] = ()
    family: str = ""


@dataclass(frozen=True)
class LogFile:
    """A node's log, and where in it (bytes) this driver's time begins."""

    node: str
    path: Path
    start: int


class Cluster(Protocol):
    """A running system. All methods are safe to call again."""

    backend: str
    endpoints: Endpoints  # for programs of this host
    worker_endpoints: Endpoints  # for workers, which may live in another network
    can: frozenset[KindName]
    stands_at_steps: bool  # can a processor stop itself at a step of its work?
    owns_brokers: bool  # are the brokers the lab's own, or somebody else's?
    prefix: str  # how the names of topics and groups begin
    client_settings: Mapping[str, str]  # how workers get in, in librdkafka's names; they hold secrets

    def nodes(self) -> Sequence[Node]: ...

    def announce(self, run_id: str, topics: Sequence[str], group: str) -> None:
        """Hear what a run is about to make on the brokers, before it does."""

    def start(self, workers: Sequence[WorkerSpec]) -> None:
        """Start processes of the application. Raises StartFailed where one ends at once."""

    def start_factory(self, workers: Sequence[WorkerSpec]) -> None:
        """The same for the standing factory, whose processes stay when this driver goes."""

    def stop(self, names: Sequence[str]) -> dict[str, int | None]:
        """SIGTERM, wait, SIGKILL; the exit code of each (None: it never was, or had to be killed)."""

    def exit_code(self, name: str) -> int | None:
        """None while the node runs."""

    def inject(self, fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        """Write the undo record durably, then do it; `cut` says what a network partition drops, `own` what a request
        to the brokers is about."""

    def reach(self) -> list[Link]:
        """Who reaches which broker, tried from inside each node and from this host; empty where all share a network."""

    def heal(self, fault: int | None = None) -> list[str]:
        """Undo one fault or all of them: resume what is paused, lift cuts, start what is dead. Says what was done."""

    def wipe(self, node: str, topic: str, partition: int) -> str:
        """Delete a dead broker's copy of a partition, as a lost disk would; says what is gone.

        Raises:
            LabError: the broker lives, has no such copy, or its files are out of reach.
        """

    def look(self, node: str) -> ProcessState:
        """Independent evidence: the operating system's word on a node's process, not the injector's."""

    def status(self, node: str) -> ProcessStatus:
        """The status of such a look."""

    def log_files(self) -> list[LogFile]:
        """The logs of brokers, database and supervisor."""

    def close(self, *, keep: bool = False) -> None:
        """Give the cluster up: everything healed, and stopped unless `keep` or it was up before us."""
