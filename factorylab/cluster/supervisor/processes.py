"""The children of one lab: how each is started and ended, and what faults and their healing do to it.

On Linux a child dies with the process that spawned it (see `begin`: everything here runs in the main thread).
Nothing here blocks for long: waiting is asyncio's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from factorylab.cluster.base import INFRASTRUCTURE, Action, Cut, Link
from factorylab.cluster.capabilities import OF_PROCESSES, require
from factorylab.cluster.control import Child, Door, Inject, NodeState, Recorded, Start
from factorylab.cluster.network.child_start import Beginning
from factorylab.cluster.network.isolated_network import Network
from factorylab.cluster.network.netns import Namespace
from factorylab.cluster.network.volume import Volume
from factorylab.cluster.supervisor import refusal
from factorylab.cluster.supervisor.undo import Undo, UndoRecords
from factorylab.core.errors import LabError, StartFailed, UsageError
from factorylab.core.files import last_lines

TICK_S = 0.02
FULL_S = 0.1
KILLED_S = 60  # a killed process may take this long to vanish, when the kernel is busy with it
SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}


@dataclass
class Entry:
    """A child that is or was."""

    spec: Child
    process: subprocess.Popen[bytes]
    created: float

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
        """A pause reaches its own children too (PostgreSQL's backends), and whatever else it is told wakes them."""
        if not self.running:
            return
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGSTOP if number == signal.SIGSTOP else signal.SIGCONT)

    def state(self) -> NodeState:
        pid = self.process.pid if self.running else None
        return NodeState(self.spec.name, self.spec.role, pid, self.process.poll(), self.spec.log)


def spawn(spec: Child, place: Namespace | None = None, volume: Volume | None = None) -> Entry:
    """Start a child, in a network of its own where it has one, with its output appended to its log file.

    Raises:
        StartFailed: the program cannot be run.
    """
    try:
        with Path(spec.log).open("ab") as log:
            process = subprocess.Popen(
                spec.argv, env=spec.env, cwd=spec.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=Beginning(os.getpid(), place, spec.user, volume=volume),  # noqa: PLW1509 (one thread)
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise StartFailed(f"{spec.name} cannot be started: {error}") from error
    return Entry(spec, process, psutil.Process(process.pid).create_time())


async def gone(entry: Entry, within_s: float) -> bool:
    """Wait for a child's end, at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while entry.running and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
    return not entry.running


async def end(entry: Entry, at_most_s: float | None = None) -> int | None:
    """Ask a child to end, wake it should it be paused, and kill it when its time is over; None if killed."""
    if not entry.running:
        return entry.process.returncode
    entry.signal(entry.spec.stop_signal)  # first, so that a paused one does nothing else when it wakes up
    entry.signal(signal.SIGCONT)
    if await gone(entry, entry.spec.stop_s if at_most_s is None else at_most_s):
        return entry.process.returncode
    entry.signal(signal.SIGKILL)
    await gone(entry, KILLED_S)
    return None


async def refusing(home: Path, deed: refusal.Deed) -> None:
    """Have the database of a lab take no connections, or take them again.

    Raises:
        LabError: it did not answer; the supervisor's log has its words.
    """
    process = refusal.begin(home, deed)
    deadline = time.monotonic() + refusal.FINISHED_S
    while process.poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
    if process.poll() != 0:
        process.kill()
        raise LabError(f"the refusal of connections could not be {deed}; see the supervisor's log")


class Children:
    """All children by name. `changed` is called when one was started; `network` is that of an isolated lab."""

    def __init__(self, undo: UndoRecords, changed: Callable[[], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self.undo = undo
        self.closed = False
        self.network: Network | None = None
        self.volume: Volume | None = None
        self._filling: asyncio.Task[None] | None = None
        self._changed = changed
        self._breaking = asyncio.Lock()  # breaking and healing take turns

    async def start(self, request: Start) -> None:
        for spec in request.children:
            if spec.name in self.entries and self.entries[spec.name].running:
                raise UsageError(f"{spec.name} runs already: stop it first")
        for spec in request.children:
            self._spawn(spec)
        entries = [self.entries[spec.name] for spec in request.children]
        await asyncio.gather(*(gone(entry, request.watch_s) for entry in entries))
        for entry in entries:
            if request.watch_s and not entry.running:
                raise StartFailed(
                    f"{entry.spec.name} ended at once with exit code {entry.process.returncode}; its last lines:\n"
                    + last_lines(Path(entry.spec.log))
                )

    async def stop(self, names: Iterable[str], at_most_s: float | None = None) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""
        entries = {name: self.entries[name] for name in names if name in self.entries}
        codes = await asyncio.gather(*(end(entry, at_most_s) for entry in entries.values()))
        for name in entries:
            self._forget_faults(name)
        return dict.fromkeys(names) | dict(zip(entries, codes, strict=True))

    async def remove(self) -> None:
        """The end of the lab: the doors of an isolated one are closed before anybody is told that it ended."""
        if self.network:
            self.network.close()
        if self.volume:
            self.volume.close()

    def isolate(self, doors: Sequence[Door]) -> None:
        """Give the lab a network of its own, before anything is started in it.

        Raises:
            EnvironmentUnfit: this machine cannot do it, with the way out.
        """
        self.network = Network(self.undo.folder.with_name("logs"))
        self.network.open_doors(doors)

    def small_disk(self, path: str, owner: int) -> None:
        """Give the database a small file system of its own, before it is started.

        Raises:
            EnvironmentUnfit: this machine cannot do it, with the way out.
        """
        self.volume = Volume(Path(path), owner, self.network.hub if self.network else None)

    async def inject(self, request: Inject) -> None:
        """Break a node. Where the driver dies meanwhile, its healing waits until this is done."""
        async with self._breaking:
            await self._inject(request)

    async def _inject(self, request: Inject) -> None:
        self._check_network(request)
        entry = self.entries.get(request.node)
        if entry is None:
            raise UsageError(f"no node {request.node!r}; there are: {', '.join(sorted(self.entries))}")
        if not entry.running:
            raise LabError(f"{request.node} is dead already: {request.action} needs a running target; heal first")
        self.undo.add(Undo(request.fault, request.node, request.action, entry.process.pid, request.cut))
        if request.action == "partition":
            self._cut(request.node)
        elif request.action == "fill" and self.volume:
            self._filling = asyncio.create_task(self._keep_full(self.volume))
        elif request.action == "refuse":
            await refusing(self.undo.folder.parent, "shut")
        else:
            entry.signal(SIGNALS.get(request.action, entry.spec.stop_signal))

    def _check_network(self, request: Inject) -> None:
        """Refuse a network fault that cannot be, before its undo record is written."""
        able: set[Action] = {*OF_PROCESSES}
        able |= {"partition"} if self.network else set()
        able |= {"fill"} if self.volume else set()
        require({request.action}, able, "this lab")
        if request.action == "partition" and self.network and request.node in self.entries:
            self.network.check(request.node)

    async def reach(self) -> list[Link]:
        """Who reaches which broker; empty where all share the host's network."""
        running = [name for name, entry in self.entries.items() if entry.running]
        return await self.network.reach(running) if self.network else []

    def _cut(self, node: str, healing: Sequence[Undo] = ()) -> bool:
        """Let the open partitions of `node` hold but those of `healing`; false where nothing changed."""
        still = [undo for undo in self.undo.find(node=node) if undo not in healing]
        cuts = [undo.cut or Cut() for undo in still if undo.action == "partition"]
        return self.network is not None and self.network.cut(node, cuts)

    async def heal(self, fault: int | None) -> list[str]:
        """Resume what is paused, lift cuts, start what is dead: the targets of a fault; for None all brokers too."""
        async with self._breaking:
            records = self.undo.find(fault)
            hurt = [record.node for record in records]
            if fault is None:
                hurt += [name for name, entry in self.entries.items() if entry.paused or self._missed(entry)]
            entries = [self.entries[name] for name in dict.fromkeys(hurt) if name in self.entries]
            done = [f"resumed {entry.spec.name}" for entry in entries if entry.paused]
            for entry in entries:
                entry.signal(signal.SIGCONT)
            for record in records:
                if record.action == "fill":  # first, or it would be filled again; a server without room may not start
                    self.undo.remove(record)
            if self.volume and not self._to_be_full() and self.volume.empty():
                done.append("gave the database its room back")
            torn = {record.node for record in records if record.action == "partition"}
            if fault is None and self.network:
                torn |= set(self.network.cut_nodes())
            done += [f"lifted a cut of {node}" for node in sorted(torn) if self._cut(node, records)]
            dying = {record.node for record in records if record.action in {"kill", "terminate"}}
            done += filter(None, await asyncio.gather(*(self._revive(e, e.spec.name in dying) for e in entries)))
            if any(record.action == "refuse" for record in records) and not self.closed:
                await refusing(self.undo.folder.parent, "lift")
                done.append("lifted the refusal of connections")
            for record in records:
                self.undo.remove(record)
            return done

    def _to_be_full(self) -> bool:
        return any(record.action == "fill" for record in self.undo.find())

    async def _keep_full(self, volume: Volume) -> None:
        """As long as the fault is held: what a transaction that failed gives back is taken as well."""
        while self._to_be_full() and not self.closed:
            volume.fill()
            await asyncio.sleep(FULL_S)

    def _spawn(self, spec: Child) -> None:
        if self.closed:
            raise LabError(f"the lab is going down: {spec.name} was not started")
        place = self.network.place(spec.name, spec.role) if self.network else None
        self.entries[spec.name] = spawn(spec, place, self.volume if spec.role == "database" else None)
        self._changed()

    async def _revive(self, entry: Entry, dying: bool) -> str | None:
        if dying and not await gone(entry, entry.spec.stop_s):
            entry.signal(signal.SIGKILL)
            await gone(entry, KILLED_S)
        if entry.running or self.closed:
            return None
        self._spawn(entry.spec)
        return f"started {entry.spec.name}"

    def _missed(self, entry: Entry) -> bool:
        return entry.spec.role in INFRASTRUCTURE and not entry.running

    def _forget_faults(self, node: str) -> None:
        for record in self.undo.find(node=node):
            self.undo.remove(record)
        if not self.closed:
            self._cut(node)

    def names(self, role: str, *, standing: bool = True) -> list[str]:
        """All of a role; without `standing` only what goes with its driver."""
        return [n for n, e in self.entries.items() if e.spec.role == role and (standing or not e.spec.standing)]

    def states(self) -> list[NodeState]:
        return [entry.state() for entry in self.entries.values()]

    def recorded(self) -> list[Recorded]:
        return [Recorded(e.spec.name, e.process.pid, e.created) for e in self.entries.values()]
