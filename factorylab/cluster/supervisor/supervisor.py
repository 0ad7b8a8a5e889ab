"""One process that owns every other process of a lab. `python -m factorylab.cluster.supervisor HOME BACKEND`.

- It lives in a session of its own, so Ctrl-C, a closed terminal or JupyterLab's stop button do not reach it.
- A driver holds its lease by an open connection. When that closes, for whatever reason, faults are healed and
  the lab is stopped, or, if it was to be kept, only what belonged to the driver. Without a driver it ends.
- A holder (a batch) keeps the lab up from driver to driver, until its own connection closes.
- When it is killed, its children die with it on Linux, and a guard ends its containers and what a stopped database had
  begun. Should that fail too, the next `up` or `down` finds in the lab's folder what is left.
- One event loop, nothing blocking: a driver may ask for the status while a child takes its time to stop.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster import control, descriptors, leftovers
from factorylab.cluster.backend_registry import BACKENDS
from factorylab.cluster.control import LabState, Recorded, Reply
from factorylab.cluster.node_owner import NodeOwner
from factorylab.cluster.undo import UndoRecords
from factorylab.core.errors import LabBusy, LabError
from factorylab.core.files import write_durably

LOOK_S = 0.5  # how often the lab's own folder is checked for being there
FIRST_LEASE_S = 30
AGAIN_S = 2.0
STOP_ORDER = ("fleet", "processor", "probe", "broker", "database")
DRIVERS_OWN = STOP_ORDER[:3]
LAB_END_S = 2.5  # a broker has closed its log by then; 5 s more it would wait for a quorum that ends as well


class Supervisor:
    """The driver's lease on one lab, and the lab's beginning and end."""

    def __init__(self, home: Path, backend: str) -> None:
        self.home = home
        self.nodes: NodeOwner = BACKENDS[backend].owner_class()(UndoRecords(home / "undo"), self.write_state)
        self.kept = False
        self.holder: asyncio.StreamWriter | None = None
        self.lease: asyncio.StreamWriter | None = None
        self.closing: asyncio.Task[None] | None = None
        self.tidying: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self.port = 0

    async def shutdown(self) -> None:
        """Stop everything in the right order, once, and end."""
        self.closing = self.closing or asyncio.create_task(self._close())
        await asyncio.shield(self.closing)

    async def _close(self) -> None:
        self.nodes.closed = True
        try:
            for role in STOP_ORDER:
                await self.nodes.stop(self.nodes.names(role), at_most_s=LAB_END_S if role == "broker" else None)
            await self.nodes.remove()
        except LabError as error:
            print(f"the lab could not be stopped completely: {error}", flush=True)
        (self.home / control.STATE).unlink(missing_ok=True)
        self.ended.set()

    async def _release(self) -> None:
        """The driver is gone: heal, and stop the lab or, if it is to be kept, what the driver started."""
        self.lease = None
        if not (self.kept or self.holder):
            await self.shutdown()
            return
        try:
            await self._tidy()
        except LabError:  # an engine that does not answer now may do so later
            self.tidying = asyncio.create_task(self._tidy_later())
            raise

    async def _tidy(self) -> None:
        for role in DRIVERS_OWN:
            await self.nodes.stop(self.nodes.names(role, outliving=False))
        await self.nodes.heal(None)

    async def _tidy_later(self) -> None:
        """Try again until it is done, or a driver comes, who heals for himself.

        A refusal is no reason to give up: an engine that comes back carries out what was asked of it before, so a
        try may find done what it was about to do.
        """
        while not self.closing:
            await asyncio.sleep(AGAIN_S)
            try:
                await self._tidy()
            except LabError as error:
                print(f"what a driver left is not healed yet: {error}", flush=True)
            else:
                print("what a driver had left is healed now", flush=True)
                return

    def write_state(self) -> None:
        own = Recorded("supervisor", os.getpid(), psutil.Process().create_time())
        write_durably(self.home / control.STATE, msgspec.json.encode(LabState(own, self.port, self.nodes.recorded())))

    # -- talking

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hello = msgspec.json.decode(await reader.readline(), type=control.Hello)
            if not hmac.compare_digest(hello.token, (self.home / control.TOKEN).read_text()):
                return
            if hello.lease:
                await self._hold_lease(reader, writer)
            else:
                await self._call(reader, writer)
        except (ConnectionError, msgspec.DecodeError, ValueError):
            pass  # whoever that was, it is gone or does not speak our language
        finally:
            writer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if not isinstance(msgspec.json.decode(line, type=control.Request), control.Hold):
            await self._answer(line, writer)
        elif self.holder or self.closing:
            await self._reply(writer, Reply(kind=LabBusy.__name__, error="a batch uses this lab, or it is ending"))
        else:
            await self._be_held(reader, writer)

    async def _be_held(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.holder = writer
        await self._reply(writer, Reply())
        try:
            await reader.read()
        finally:
            self.holder = None
            if not (self.kept or self.lease):
                await self.shutdown()

    async def _hold_lease(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.lease or self.closing:
            await self._reply(
                writer, Reply(kind=LabBusy.__name__, error="another driver holds this lab, or it is ending")
            )
            return
        self.lease = writer
        if self.tidying:
            self.tidying.cancel()
        await self._reply(writer, Reply())
        try:
            if line := await reader.readline():
                await self._answer(line, writer)
        finally:
            if self.lease is writer:
                with suppress(LabError):
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
        result: object = None
        match request:
            case control.Start():
                await self.nodes.start(request)
            case control.Stop(names):
                result = await self.nodes.stop(names)
            case control.Nodes():
                result = self.nodes.states()
            case control.Isolate(ports):
                self.nodes.isolate(ports)
            case control.SmallDisk(path, owner):
                self.nodes.small_disk(path, owner)
            case control.Inject():
                if self.lease is None:  # it died while it asked, and its healing is over
                    raise LabError("no driver is connected that would heal the fault: no fault was injected")
                await self.nodes.inject(request)
            case control.Reach():
                result = await self.nodes.reach()
            case control.Heal(fault):
                result = await self.nodes.heal(fault)
            case control.Keep():
                self.kept = True
            case control.Release():
                await self._release()
            case control.Shutdown():
                await self.shutdown()
        return result

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
    home, backend = Path(sys.argv[1]), sys.argv[2]
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    os.setsid()
    descriptors.take_all()
    leftovers.guard(home)

    async def run() -> None:
        await Supervisor(home, backend).serve(lambda: os.close(writer) if os.write(writer, b"1") else None)

    asyncio.run(run())
