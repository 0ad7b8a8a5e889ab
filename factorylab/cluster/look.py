"""The operating system's word on a process: its status, the CPU time that it used, and the limit that it has."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

from factorylab.cluster import cgroups
from factorylab.cluster.control import process_status
from factorylab.scenarios.faults.kind import ProcessState

PROC = Path("/proc")


def look(pid: int | None) -> ProcessState:
    """A look at the process `pid`, on the monotonic clock; None is dead."""
    at_s = time.monotonic()
    try:
        process = psutil.Process(pid) if pid else None
        status = process_status(process)
        if process is None or status == "dead":
            return ProcessState(at_s, None, "dead")
        return ProcessState(at_s, pid, status, cpu_s(process), cgroups.cpu_limit(process.pid))
    except psutil.NoSuchProcess:
        return ProcessState(at_s, None, "dead")


def children(process: psutil.Process) -> list[psutil.Process]:
    """Those that its first thread began, as PostgreSQL's backends are; cheap where the kernel lists them."""
    try:
        listed = (PROC / f"{process.pid}/task/{process.pid}/children").read_text()
    except OSError:
        return process.children()
    found = []
    for pid in listed.split():
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(pid)))
    return found


def cpu_s(process: psutil.Process) -> float:
    """CPU time that it and its descendants have used: those that live, and those whose end was waited for.

    Raises:
        NoSuchProcess: it has ended.
    """
    total = _own_s(process)
    for child in children(process):
        with suppress(psutil.NoSuchProcess):
            total += cpu_s(child)
    return total


def _own_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
