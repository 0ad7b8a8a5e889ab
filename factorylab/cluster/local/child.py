"""One child of a lab: how it is started, signalled and ended.

On Linux a child dies with the process that spawned it (see `child_start`: everything here runs in the main thread).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from factorylab.cluster.control import Child, NodeState, process_status
from factorylab.cluster.family import end_family
from factorylab.cluster.look import children
from factorylab.cluster.network.child_start import Beginning
from factorylab.cluster.network.netns import Namespace
from factorylab.cluster.network.volume import Volume
from factorylab.core.errors import StartFailed

TICK_S = 0.02
KILLED_S = 60  # a killed process may take this long to vanish, when the kernel is busy with it


@dataclass
class Entry:
    """A child that is or was."""

    spec: Child
    process: subprocess.Popen[bytes]
    created: float
    held_still: bool = False  # by a pause
    in_turn: bool = False  # stopped for a moment, by what slows it
    turned: list[psutil.Process] = field(default_factory=list)  # its children then
    orphans: list[psutil.Process] = field(default_factory=list)  # its children as it was killed

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

    def kill(self) -> None:
        """End it at once. Its children are noted: they notice later, and nothing else may take its place before."""
        if self.running:
            self.process.send_signal(signal.SIGSTOP)  # first, so that it begins no child that is not noted
        if self.running:  # a signal finds out whether it has died meanwhile
            self.orphans = children(psutil.Process(self.process.pid))
        self.signal(signal.SIGKILL)
        self.end_family()

    def end_family(self) -> None:
        """Kill all that the program began, where it is one of the user's."""
        if self.spec.family:
            end_family(self.spec.family)

    def turn(self, number: int) -> None:
        """Stop it for a moment, or have it go on, with its children, unless it is paused. Cheap: done many times a
        second. Children that were stopped when it died go on: they have to notice."""
        if self.running and self.held_still:
            return
        if self.running:
            self.process.send_signal(number)  # first, so that it begins no child that is not reached
        if self.running:  # a signal finds out whether it has died meanwhile
            self.turned = children(psutil.Process(self.process.pid))
        else:
            number = signal.SIGCONT
        self.in_turn = number == signal.SIGSTOP
        for child in self.turned:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)

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


class Running(Protocol):
    @property
    def running(self) -> bool: ...


async def gone(entry: Running, within_s: float) -> bool:
    """Wait until a child or a container has ended, at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while entry.running and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
    return not entry.running


async def orphans_gone(entry: Entry, within_s: float) -> None:
    """Wait until the children of a killed one have ended, at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while any(process_status(child) != "dead" for child in entry.orphans) and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)


async def end(entry: Entry, at_most_s: float | None = None) -> int | None:
    """Ask a child to end, wake it should it be paused, and kill it when its time is over; None if killed. What is left
    of its family is killed in any case."""
    code = await _ended(entry, at_most_s)
    entry.end_family()
    return code


async def _ended(entry: Entry, at_most_s: float | None) -> int | None:
    if not entry.running:
        return entry.process.returncode
    entry.signal(entry.spec.stop_signal)  # first, so that a paused one does nothing else when it wakes up
    entry.signal(signal.SIGCONT)
    if await gone(entry, entry.spec.stop_s if at_most_s is None else at_most_s):
        return entry.process.returncode
    entry.signal(signal.SIGKILL)
    await gone(entry, KILLED_S)
    return None
