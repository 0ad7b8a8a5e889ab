"""Processes that belong to one program, however they were begun: each carries its mark in its environment.

A child inherits it, a daemon that left its session and its parent too. Only who empties its environment on purpose is
not found.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from factorylab.cluster.program import MARK


def mark_of(home: Path, worker: str = "") -> str:
    """The mark of what a worker of the lab in `home` began; without a worker, how those of all of them begin. None
    begins as another one: processor-1 is not processor-10."""
    return f"{home}#{worker}#" if worker else f"{home}#"


def family(mark: str) -> list[psutil.Process]:
    """All living processes whose mark begins with `mark`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(mark):
                found.append(process)
    return found


def end_family(mark: str) -> list[int]:
    """Kill them all, also those that are begun meanwhile; the numbers of what was killed."""
    ended: list[int] = []
    while living := [process for process in family(mark) if process.pid not in ended]:
        for process in living:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            ended.append(process.pid)
    return ended
