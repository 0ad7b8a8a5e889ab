"""The operating system's word on a process: its status, the CPU time that it used, and the limit that it has."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
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
    found = []
    for pid in _children(process):
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def _children(process: psutil.Process) -> list[int]:
    try:
        with open(f"{PROC}/{process.pid}/task/{process.pid}/children", encoding="utf-8") as listed:  # noqa: PTH123
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return [child.pid for child in process.children()]


def cpu_s(process: psutil.Process) -> float:
    """CPU time that it and its descendants have used: those that live, and those whose end was waited for.

    Raises:
        NoSuchProcess: it has ended.
    """
    total = _own_s(process)
    for child in _children(process):
        with suppress(psutil.NoSuchProcess):
            total += cpu_s(_known(child))
    return total


@lru_cache(maxsize=256)
def _known(pid: int) -> psutil.Process:
    """To be asked for its CPU time, which is read anew of whatever process has this number by now."""
    return psutil.Process(pid)


def _own_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
