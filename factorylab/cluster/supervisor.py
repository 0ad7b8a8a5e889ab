"""One process that owns every other process of a lab. `python -m factorylab.cluster.supervisor HOME`.

- It lives in a session of its own, so Ctrl-C, a closed terminal or JupyterLab's stop button do not reach it.
- A driver holds its lease by an open connection. When that closes, for whatever reason, faults are healed and
  the lab is stopped, or, if it was to be kept, only what belonged to the driver. Without a driver it ends.
- On Linux every child dies with it (PR_SET_PDEATHSIG, which is bound to the spawning thread: everything is
  spawned by the main one). Elsewhere the state file tells the next `up` or `down` what is left.
- One event loop, nothing blocking: a driver may ask for the status while a child takes its time to stop.
"""

from __future__ import annotations

import asyncio
import ctypes
import hmac
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster import control
from factorylab.cluster.control import Child, NodeState, Recorded, Reply, State
from factorylab.cluster.files import last_lines, write_durably
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.errors import LabBusy, LabError, StartFailed, UsageError

TICK_S = 0.02
LOOK_S = 0.5  # how often the lab's own folder is checked for being there
FIRST_LEASE_S = 30
INFRASTRUCTURE = ("broker", "database")
STOP_ORDER = ("fleet", "processor", "probe", "broker", "database")
SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int) -> None:
    """Runs in a new child before its program: the kernel kills it when the supervisor dies."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


@dataclass
class Entry:
    """A child that is or was."""

    spec: Child
    process: subprocess.Popen[bytes]
    created: float = field(default=0.0)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def paused(self) -> bool:
        try:
            return self.running and psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def signal(self, number: int) -> None:
        if self.running:
            self.process.send_signal(number)

    def state(self) -> NodeState:
        pid = self.process.pid if self.running else None
        return NodeState(self.spec.name, self.spec.role, pid, self.process.poll(), self.spec.log)


def spawn(spec: Child) -> Entry:
    """Start a child with its output appended to its log file.

    Raises:
        StartFailed: the program cannot be run.
    """
    account = {} if spec.user is None else {"user": spec.user, "group": spec.user, "extra_groups": []}
    try:
        with Path(spec.log).open("ab") as log:
            process = subprocess.Popen(  # noqa: PLW1509 (one thread; the function calls the kernel only)
                spec.argv, env=spec.env, cwd=spec.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=partial(die_with, os.getpid()), **account,  # type: ignore[call-overload]
            )  # fmt: skip
    except OSError as error:
        raise StartFailed(f"{spec.name} cannot be started: {error}") from error
    return Entry(spec, process, psutil.Process(process.pid).create_time())


async def gone(entry: Entry, within_s: float) -> bool:
    """Wait for a child's end, at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while entry.running and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
    return not entry.running


async def end(entry: Entry) -> int | None:
    """Ask a child to end, wake it should it be paused, and kill it when its time is over; None if killed."""
    if not entry.running:
        return entry.process.returncode
    entry.signal(entry.spec.stop_signal)  # first, so that a paused one does nothing else when it wakes up
    entry.signal(signal.SIGCONT)
    if await gone(entry, entry.spec.stop_s):
        return entry.process.returncode
    entry.signal(signal.SIGKILL)
    await gone(entry, control.GONE_S)
    return None


class Supervisor:
    """The children of one lab, what may be done to them, and the driver's lease."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.children: dict[str, Entry] = {}
        self.undo = UndoRecords(home / "undo")
        self.kept = False
        self.lease: asyncio.StreamWriter | None = None
        self.closing: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self.healing = asyncio.Lock()
        self.port = 0

    # -- what a driver may ask for

    async def start(self, request: control.Start) -> None:
        for spec in request.children:
            if spec.name in self.children and self.children[spec.name].running:
                raise UsageError(f"{spec.name} runs already: stop it first")
        for spec in request.children:
            self._spawn(spec)
        entries = [self.children[spec.name] for spec in request.children]
        await asyncio.gather(*(gone(entry, request.watch_s) for entry in entries))
        for entry in entries:
            if request.watch_s and not entry.running:
                raise StartFailed(
                    f"{entry.spec.name} ended at once with exit code {entry.process.returncode}; its last lines:\n"
                    + last_lines(Path(entry.spec.log))
                )

    async def stop(self, names: Iterable[str]) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""
        entries = {name: self.children[name] for name in names if name in self.children}
        codes = await asyncio.gather(*(end(entry) for entry in entries.values()))
        for name in entries:
            self._forget_faults(name)
        return dict.fromkeys(names) | dict(zip(entries, codes, strict=True))

    async def inject(self, request: control.Inject) -> None:
        entry = self.children.get(request.node)
        if entry is None:
            raise UsageError(f"no node {request.node!r}; there are: {', '.join(sorted(self.children))}")
        if not entry.running:
            raise LabError(f"{request.node} is dead already: {request.action} needs a running target; heal first")
        self.undo.add(Undo(request.fault, request.node, request.action, entry.process.pid))
        entry.signal(SIGNALS.get(request.action, entry.spec.stop_signal))

    async def heal(self, fault: int | None) -> list[str]:
        """Resume what is paused, then start what is dead: the targets of a fault, and for None all brokers too."""
        async with self.healing:
            records = self.undo.find(fault)
            hurt = [record.node for record in records]
            if fault is None:
                hurt += [name for name, entry in self.children.items() if entry.paused or self._missed(entry)]
            entries = [self.children[name] for name in dict.fromkeys(hurt) if name in self.children]
            done = [f"resumed {entry.spec.name}" for entry in entries if entry.paused]
            for entry in entries:
                entry.signal(signal.SIGCONT)
            dying = {record.node for record in records if record.action != "pause"}
            done += filter(None, await asyncio.gather(*(self._revive(e, e.spec.name in dying) for e in entries)))
            for record in records:
                self.undo.remove(record)
            return done

    async def shutdown(self) -> None:
        """Stop everything in the right order, once, and end."""
        self.closing = self.closing or asyncio.create_task(self._close())
        await asyncio.shield(self.closing)

    # -- how

    def _spawn(self, spec: Child) -> None:
        if self.closing:
            raise LabError(f"the lab is going down: {spec.name} was not started")
        self.children[spec.name] = spawn(spec)
        self.write_state()

    async def _revive(self, entry: Entry, dying: bool) -> str | None:
        if dying and not await gone(entry, entry.spec.stop_s):
            entry.signal(signal.SIGKILL)
            await gone(entry, control.GONE_S)
        if entry.running or self.closing:
            return None
        self._spawn(entry.spec)
        return f"started {entry.spec.name}"

    def _missed(self, entry: Entry) -> bool:
        return entry.spec.role in INFRASTRUCTURE and not entry.running

    def _forget_faults(self, node: str) -> None:
        for record in self.undo.find(node=node):
            self.undo.remove(record)

    def _names(self, *roles: str) -> list[str]:
        return [name for name, entry in self.children.items() if entry.spec.role in roles]

    async def _close(self) -> None:
        for role in STOP_ORDER:
            await self.stop(self._names(role))
        (self.home / control.STATE).unlink(missing_ok=True)
        self.ended.set()

    async def _release(self) -> None:
        """The driver is gone: heal, and stop the lab or, if it is to be kept, what the driver started."""
        self.lease = None
        if not self.kept:
            await self.shutdown()
            return
        await self.stop([name for role in STOP_ORDER[:3] for name in self._names(role)])
        await self.heal(None)

    def write_state(self) -> None:
        children = [Recorded(e.spec.name, e.process.pid, e.created) for e in self.children.values()]
        own = Recorded("supervisor", os.getpid(), psutil.Process().create_time())
        write_durably(self.home / control.STATE, msgspec.json.encode(State(own, self.port, children)))

    # -- talking

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hello = msgspec.json.decode(await reader.readline(), type=control.Hello)
            if not hmac.compare_digest(hello.token, (self.home / control.TOKEN).read_text()):
                return
            if hello.lease:
                await self._hold_lease(reader, writer)
            else:
                await self._answer(await reader.readline(), writer)
        except (ConnectionError, msgspec.DecodeError, ValueError):
            pass  # whoever that was, it is gone or does not speak our language
        finally:
            writer.close()

    async def _hold_lease(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.lease or self.closing:
            await self._reply(
                writer, Reply(kind=LabBusy.__name__, error="another driver holds this lab, or it is ending")
            )
            return
        self.lease = writer
        await self._reply(writer, Reply())
        try:
            if line := await reader.readline():
                await self._answer(line, writer)
        finally:
            if self.lease is writer:
                await self._release()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        request = msgspec.json.decode(line, type=control.Request)
        try:
            result = await self._do(request)
            reply = Reply(msgspec.Raw(msgspec.json.encode(result)))
        except LabError as error:
            reply = Reply(kind=type(error).__name__, error=str(error))
        await self._reply(writer, reply)

    @staticmethod
    async def _reply(writer: asyncio.StreamWriter, reply: Reply) -> None:
        writer.write(msgspec.json.encode(reply) + b"\n")
        await writer.drain()

    async def _do(self, request: control.Request) -> object:
        match request:
            case control.Start():
                return await self.start(request)
            case control.Stop(names):
                return await self.stop(names)
            case control.Nodes():
                return [entry.state() for entry in self.children.values()]
            case control.Inject():
                return await self.inject(request)
            case control.Heal(fault):
                return await self.heal(fault)
            case control.Keep():
                self.kept = True
                return None
            case control.Release():
                return await self._release()
            case control.Shutdown():
                return await self.shutdown()

    # -- living

    async def _watch(self) -> None:
        """End when nobody ever came, or when the lab's folder was deleted under us."""
        born = time.monotonic()
        leased = False
        while not self.ended.is_set():
            await asyncio.sleep(LOOK_S)
            leased = leased or self.lease is not None
            alone = not leased and time.monotonic() - born > FIRST_LEASE_S
            if alone or not (self.home / control.STATE).exists():
                await self.shutdown()

    async def serve(self, ready: Callable[[], None]) -> None:
        """Listen on loopback until everything is stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: background(self.shutdown()))
        server = await asyncio.start_server(self.connected, "127.0.0.1", 0, limit=control.MAX_LINE)
        self.port = server.sockets[0].getsockname()[1]
        self.write_state()
        ready()
        background(self._watch())
        await self.ended.wait()
        server.close()


RUNNING: set[asyncio.Future[None]] = set()


def background(work: Awaitable[None]) -> None:
    """Run beside the rest; the loop itself holds tasks weakly."""
    task = asyncio.ensure_future(work)
    RUNNING.add(task)
    task.add_done_callback(RUNNING.discard)


def main() -> None:
    """Go to the background in a session of its own; the caller returns as soon as the supervisor listens."""
    home = Path(sys.argv[1])
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    os.setsid()

    async def run() -> None:
        await Supervisor(home).serve(lambda: os.close(writer) if os.write(writer, b"1") else None)

    asyncio.run(run())


if __name__ == "__main__":
    main()
