"""How a driver talks to the supervisor: one JSON message a line over loopback TCP, never pickle.

A connection begins with a `Hello` that carries the lab's token (a file that only its owner can read). A call is
one request and one reply. The *lease* is a connection that stays open as long as its driver lives: when it
closes for whatever reason, the supervisor heals and stops what the driver used.
"""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from types import TracebackType

import msgspec
import psutil

from factorylab.cluster import cgroups
from factorylab.cluster.base import Cut, Own, Role
from factorylab.core import errors
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.files import read_json
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.vocabulary import ProcessStatus
from factorylab.scenarios.fault_catalog import KindName

MAX_LINE = 16 * 2**20
STATE = "state.json"
TOKEN = "token"
ENDED = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
GONE_S = 60  # longer than the longest orderly stop


class Child(msgspec.Struct, frozen=True):
    """A process to be owned by the supervisor, and how it is started again. `user` is a numeric uid and gid; `paths`
    are the files and folders that a container of it needs; `versions` are the command lines of a broker by version of
    Kafka, where it may change. One with `outlives_driver` stays when its driver goes. All
    that carries the mark `family` (see `cluster.family`) ends with it."""

    name: str
    role: Role
    argv: list[str]
    env: dict[str, str]
    log: str
    cwd: str
    stop_signal: int = signal.SIGTERM
    stop_s: float = 10
    user: int | None = None
    paths: list[str] = []
    outlives_driver: bool = False
    family: str = ""
    versions: dict[KafkaVersion, list[str]] = {}


class Message(msgspec.Struct, frozen=True, tag=True):
    """Root of what a driver says."""


class Hello(Message, frozen=True, tag=True):
    token: str
    lease: bool = False


class Start(Message, frozen=True, tag=True):
    """`watch_s`: an end within this time counts as a failed start."""

    children: list[Child]
    watch_s: float = 0


class Stop(Message, frozen=True, tag=True):
    names: list[str]


class Nodes(Message, frozen=True, tag=True):
    pass


class Inject(Message, frozen=True, tag=True):
    fault: int
    node: str
    kind: KindName
    cut: Cut | None = None
    own: Own | None = None


class ForwardedPort(msgspec.Struct, frozen=True):
    """What connects to `port` of `address` on this host comes out at `inner` ("address:port") in an isolated lab."""

    address: str
    port: int
    inner: str


class Isolate(Message, frozen=True, tag=True):
    """Give the lab a network of its own, before anything is started in it."""

    ports: list[ForwardedPort]


class SmallDisk(Message, frozen=True, tag=True):
    """Give the database a small file system of its own at `path`, before it is started; `owner` is its uid."""

    path: str
    owner: int


class Reach(Message, frozen=True, tag=True):
    """Who reaches which broker? The answer is a list of `base.Link`."""


class Heal(Message, frozen=True, tag=True):
    fault: int | None = None


class Keep(Message, frozen=True, tag=True):
    """The lab stays up without a driver, until it is told to end."""


class Hold(Message, frozen=True, tag=True):
    """The lab stays up without a driver as long as the connection that this was said over."""


class Release(Message, frozen=True, tag=True):
    """Said over the lease: the driver is done with the lab."""


class Shutdown(Message, frozen=True, tag=True):
    pass


Request = Start | Stop | Nodes | Isolate | SmallDisk | Inject | Reach | Heal | Keep | Hold | Release | Shutdown


class NodeState(msgspec.Struct, frozen=True):
    """`pid` is None for what is not running; `exit_code` is negative for a signal, None while it runs; `address` is
    that of a container."""

    name: str
    role: Role
    pid: int | None
    exit_code: int | None
    log: str
    address: str = ""


class Reply(msgspec.Struct, frozen=True):
    """`kind` names a class of `factorylab.core.errors` when something went wrong."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    kind: str = ""
    error: str = ""


class Recorded(msgspec.Struct, frozen=True):
    """A process as the state file knows it. The creation time tells it from a later one with the same pid."""

    name: str
    pid: int
    created: float


class LabState(msgspec.Struct, frozen=True):
    """What a lab's folder says about its supervisor and its children."""

    supervisor: Recorded
    port: int
    children: list[Recorded]


def find_process(recorded: Recorded) -> psutil.Process | None:
    """The very process that was recorded, unless it has ended."""
    try:
        process = psutil.Process(recorded.pid)
        if abs(process.create_time() - recorded.created) < 1 and process.status() not in ENDED:
            return process
    except psutil.NoSuchProcess:
        pass
    return None


def process_status(process: psutil.Process | None) -> ProcessStatus:
    """The operating system's word on a process."""
    try:
        seen = process.status() if process else psutil.STATUS_DEAD
    except psutil.NoSuchProcess:
        return "dead"
    if process is None or seen in ENDED:
        return "dead"
    return "paused" if seen == psutil.STATUS_STOPPED or cgroups.frozen(process.pid) else "running"


def living_state(home: Path) -> LabState | None:
    """The state of the lab in `home` if its supervisor lives."""
    state = read_json(home / STATE, LabState)
    return state if state and find_process(state.supervisor) else None


def remove_remains(home: Path) -> list[str]:
    """End what a dead supervisor left behind (possible only where children do not die with it); their names."""
    state = read_json(home / STATE, LabState)
    found = [(r, find_process(r)) for r in [state.supervisor, *state.children]] if state else []
    living = [(recorded, process) for recorded, process in found if process]
    for _, process in living:
        process.kill()  # works on a paused process too
    psutil.wait_procs([process for _, process in living], timeout=10)
    (home / STATE).unlink(missing_ok=True)
    return [recorded.name for recorded, _ in living]


class Line:
    """A connection to the supervisor of the lab in `home`."""

    def __init__(self, home: Path, *, lease: bool = False, timeout_s: float = 120) -> None:
        state = living_state(home)
        if state is None:
            raise EnvironmentUnfit(f"no lab is up in {home}: start one with 'factorylab up'")
        try:
            self._socket = socket.create_connection(("127.0.0.1", state.port), timeout_s)
        except OSError as error:
            raise EnvironmentUnfit(f"the lab in {home} is shutting down ({error}): try again") from error
        self._file = self._socket.makefile("rb")
        self.send(Hello((home / TOKEN).read_text(), lease))

    def send(self, message: Message) -> None:
        self._socket.sendall(msgspec.json.encode(message) + b"\n")

    def receive(self) -> msgspec.Raw:
        """The result of what was asked. Raises the LabError that the supervisor reports."""
        line = self._file.readline(MAX_LINE)
        if not line:
            raise EnvironmentUnfit(
                "the lab's supervisor closed the connection: the lab is shutting down, or was stopped"
            )
        reply = msgspec.json.decode(line, type=Reply)
        if reply.kind:
            kind: type[LabError] = getattr(errors, reply.kind, LabError)
            raise kind(reply.error)
        return reply.result

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ask(home: Path, request: Request, timeout_s: float = 120) -> msgspec.Raw:
    """One request on a connection of its own, so that threads and processes do not wait for each other."""
    with Line(home, timeout_s=timeout_s) as line:
        line.send(request)
        return line.receive()


def nodes(home: Path) -> list[NodeState]:
    return msgspec.json.decode(ask(home, Nodes()), type=list[NodeState])


def wait_gone(supervisor: Recorded, timeout_s: float = GONE_S) -> None:
    """Wait for a supervisor's end; past the deadline it is killed, and its children with it."""
    deadline = time.monotonic() + timeout_s
    while process := find_process(supervisor):
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.02)
