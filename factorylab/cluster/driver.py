"""The driver's side of every lab that a supervisor owns, whatever its nodes are made of.

A lab lives in one folder:

    .lab/  state.json     what runs (written by the supervisor)     lock   held by the driver of the moment
           endpoints.json where clients connect (mode 600: it holds the password)
           token          proves to the supervisor who asks (mode 600)
           data/          of the brokers and the database, new at each `up`
           logs/          one file a node; logs.previous/ are those of the lab before
           undo/          faults that are not healed yet

It is disposable: an `up` that finds no living lab starts from empty data. The lock keeps a second driver out, the
lease tells the supervisor that this one lives.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import msgspec

from factorylab.cluster import boot, control, folders, program, ready
from factorylab.cluster.base import INFRASTRUCTURE, Cut, Endpoints, Link, LogFile, Node, Own, Progress, WorkerSpec
from factorylab.cluster.control import Child
from factorylab.cluster.kafka_version import kafka_version
from factorylab.cluster.look import look
from factorylab.cluster.manage import LOCK_FILE, busy
from factorylab.cluster.settings import Settings
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit, LabError, StartFailed, UsageError
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.vocabulary import ProcessStatus
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import Need, ProcessState

LOG_BYTES = 8 << 20  # of a program that is not ours
WATCH_S = 0.5  # what of the standing factory ends sooner has not started
ATTACHING = "check of the lab that is up"


def quiet(what: str, done: int, total: int) -> None:
    """The progress of somebody who does not want to see it."""


class Fresh(Protocol):
    """A lab whose supervisor runs and whose nodes are still to be started."""

    def start(self) -> None: ...


class Driver:
    """A running lab in one folder and the right to use it. See `base.Cluster` for the methods' contract."""

    backend: str
    stands_at_steps = True
    starting = "three brokers and PostgreSQL"
    owns_brokers = True
    prefix = ""

    def __init__(self, home: Path, lock: IO[str], *, was_up: bool) -> None:
        known = boot.known(home)
        if known.backend != self.backend:
            raise EnvironmentUnfit(
                f"the lab that is up in {home} runs on the backend {known.backend}: use that one, or stop the lab with "
                "'factorylab down'"
            )
        self.home = home
        self.endpoints, self.worker_endpoints = known.endpoints, known.worker_endpoints
        self.can: frozenset[KindName] = frozenset(known.can)
        self.client_settings: Mapping[str, str] = {}
        self.was_up = was_up
        self._lock = lock
        self._held = False
        state = control.living_state(home)
        if state is None:
            raise StartFailed(f"the lab in {home} ended while starting; see {home / 'logs' / 'supervisor.log'}")
        self.supervisor = state.supervisor
        self._lease = control.Line(home, lease=True)
        self._lease.receive()
        self._log_starts = {path: path.stat().st_size for path in (home / "logs").glob("*.log")}

    @classmethod
    def up(
        cls,
        settings: Settings,
        *,
        needs: Collection[Need] = (),
        kafka: KafkaVersion | None = None,
        keep: bool = False,
        progress: Progress = quiet,
    ) -> Self:
        """Start the lab of `settings.home`, or attach to it when it is up; returns when all of it answers.

        A new lab can do the faults that need `needs`. `kafka` is the version of its brokers; None: of the lab that is
        up, else the default. `keep`: it stays up even when this process vanishes.

        Raises:
            LabBusy: another process uses it.
            EnvironmentUnfit: this machine cannot run it as it is, or its brokers are of another version; with the way
                out.
        """
        home = settings.home
        if not control.living_state(home):
            folders.of_lab(settings).check()
        lock = _lock(home)
        cluster = None
        try:
            fresh = None if control.living_state(home) else cls.prepare(settings, needs, kafka, progress)
            cluster = cls(home, lock, was_up=fresh is None)
            doing = cls.starting if fresh else ATTACHING
            progress(doing, 0, 1)
            if fresh:
                fresh.start()
            else:
                cluster.heal()
            cls.wait_ready(home, cluster.endpoints)
            cluster.check_version(kafka)
            progress(doing, 1, 1)
            if keep:
                control.ask(home, control.Keep())
        except BaseException:
            if cluster:
                cluster.close()
            lock.close()
            raise
        return cluster

    def check_version(self, wanted: KafkaVersion | None) -> None:
        """Refuse brokers that say themselves that they are of another version than `wanted`.

        Raises:
            EnvironmentUnfit: naming both versions, and the way out.
        """
        found = kafka_version(self.log_files())
        if wanted in {None, found}:
            return
        if self.was_up:
            raise EnvironmentUnfit(
                f"the lab that is up in {self.home} runs Kafka {found}, not {wanted}: end it with 'factorylab down', "
                "or leave the version out"
            )
        raise EnvironmentUnfit(f"the brokers that were started are Kafka {found}, not {wanted}: see KAFKA_IMAGE")

    @classmethod
    def prepare(
        cls, settings: Settings, needs: Collection[Need], kafka: KafkaVersion | None, progress: Progress
    ) -> Fresh:
        """Everything up to a running supervisor without nodes. Without `kafka` the brokers are of the default version.

        Raises:
            EnvironmentUnfit: this machine lacks something, with the way out.
        """
        raise NotImplementedError

    @classmethod
    def wait_ready(cls, home: Path, endpoints: Endpoints) -> None:
        """Wait until the lab in `home` is whole, or raise what it lacks."""
        ready.wait_ready(home, endpoints)

    @classmethod
    def why_not(cls, settings: Settings, kafka: KafkaVersion | None = None) -> str:
        """Why this machine cannot run a lab of this backend and version; empty where it can, or only `up` can tell.
        Changes nothing."""
        del settings, kafka
        return ""

    def child(self, worker: WorkerSpec) -> Child:
        """How the supervisor starts a worker: as a process of this host, unless a backend says otherwise."""
        return process_of(worker)

    def nodes(self) -> Sequence[Node]:
        return [Node(n.name, n.role, n.pid) for n in control.nodes(self.home)]

    def announce(self, run_id: str, topics: Sequence[str], group: str) -> None:
        """The lab's own brokers end with it, and with them all that is on them."""

    def start(self, workers: Sequence[WorkerSpec]) -> None:
        """Whoever starts workers asks afterwards what has become of them."""
        control.ask(self.home, control.Start([self.child(worker) for worker in workers]))

    def start_factory(self, workers: Sequence[WorkerSpec]) -> None:
        children = [msgspec.structs.replace(self.child(worker), outlives_driver=True) for worker in workers]
        control.ask(self.home, control.Start(children, watch_s=WATCH_S))

    def stop(self, names: Sequence[str]) -> dict[str, int | None]:
        raw = control.ask(self.home, control.Stop(list(names)))
        return msgspec.json.decode(raw, type=dict[str, int | None])

    def exit_code(self, name: str) -> int | None:
        return self._node(name).exit_code

    def inject(self, fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        control.ask(self.home, control.Inject(fault, node, kind, cut, own))

    def reach(self) -> list[Link]:
        return msgspec.json.decode(control.ask(self.home, control.Reach()), type=list[Link])

    def heal(self, fault: int | None = None) -> list[str]:
        return msgspec.json.decode(control.ask(self.home, control.Heal(fault)), type=list[str])

    def wipe(self, node: str, topic: str, partition: int) -> str:
        raise LabError(f"the files of {node} cannot be reached on the backend {self.backend}: use --backend local")

    def status(self, node: str) -> ProcessStatus:
        return self.look(node).status

    def look(self, node: str) -> ProcessState:
        return look(self._node(node).pid)

    def log_files(self) -> list[LogFile]:
        """The logs of brokers, database and supervisor with the size that they had when this driver came."""
        found = {n.name: Path(n.log) for n in control.nodes(self.home) if n.role in INFRASTRUCTURE}
        found["supervisor"] = self.home / "logs" / "supervisor.log"
        return [LogFile(name, path, self._log_starts.get(path, 0)) for name, path in found.items()]

    def hold(self) -> control.Line:
        """Keep the lab up for the drivers to come, until the returned line is closed or this process dies.

        Raises:
            LabBusy: another process holds it.
        """
        line = control.Line(self.home)
        line.send(control.Hold())
        try:
            line.receive()
        except LabError:
            line.close()
            raise
        self._held = True
        return line

    def close(self, *, keep: bool = False) -> None:
        """Give the lab up. A second call, and a call after the lab was ended by others, do nothing."""
        if self._lock.closed:
            return
        with suppress(OSError, EnvironmentUnfit):
            if keep:
                control.ask(self.home, control.Keep())
            self._lease.send(control.Release())
            self._lease.receive()
        self._lease.close()
        if not (keep or self.was_up or self._held):
            control.wait_gone(self.supervisor)
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _node(self, name: str) -> control.NodeState:
        found = {n.name: n for n in control.nodes(self.home)}
        if name not in found:
            raise UsageError(f"no node {name!r}; there are: {', '.join(sorted(found))}")
        return found[name]


def process_of(worker: WorkerSpec) -> Child:
    """A worker as a process of this host, with this process's Python and its own settings; a program of the user's with
    what it is given."""
    child = Child(
        name=worker.name,
        role=worker.role,
        argv=[sys.executable, "-m", worker.module],
        env=environment.python() | dict(worker.env),
        log=str(worker.log),
        cwd=str(Path.cwd()),
        stop_s=worker.stop_s,
    )
    if not worker.command:
        return child
    argv = [sys.executable, "-I", program.__file__, str(LOG_BYTES), worker.family, *worker.command]
    return msgspec.structs.replace(child, argv=argv, env=dict(worker.env), family=worker.family)


def _lock(home: Path) -> IO[str]:
    """The right to use the lab of `home`, until the returned file is closed or this process dies."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / LOCK_FILE).open("a+")
    except OSError as error:
        raise EnvironmentUnfit(
            f"cannot write to the lab's folder {home}: {error.strerror}; set FACTORYLAB_HOME"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise busy(home, holder) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
