"""The lines of the brokers' logs, on the history's clock.

The brokers write UTC in milliseconds; the run's workers wrote both clocks, so a line has a monotonic time too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from factorylab.core.clock import NS
from factorylab.history.saved_run import Run

STAMP_NS = 1_000_000
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3})Z?\s+[A-Z]+\s+.*? - (.*)$")


class LogLine(NamedTuple):
    """`t_ns` is on the history's clock; `time` is the line's own (UTC, with the date), `number` counts from 1."""

    node: str
    t_ns: int
    time: str
    text: str
    number: int


def stamped(line: str) -> tuple[str, str] | None:
    """A line's time and what it says; None where it begins no message: a stack trace, or what was cut off."""
    found = _STAMP.match(line)
    return (found[1], found[2]) if found else None


def log_lines(run: Run, wanted: Callable[[str], bool]) -> Iterator[LogLine]:
    """The messages of all brokers whose line is `wanted`, file by file; none where their logs were not kept."""
    ahead_ns = wall_ahead_ns(run)
    for path in sorted(run.folder.logs.glob("broker-*.log")):
        yield from _of(path, wanted, ahead_ns)


def _of(path: Path, wanted: Callable[[str], bool], ahead_ns: int) -> Iterator[LogLine]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            told = stamped(line.rstrip("\n")) if wanted(line) else None
            if told is not None:
                wall = datetime.fromisoformat(told[0].replace(",", ".").replace(" ", "T") + "+00:00")
                wall_ns = round(wall.timestamp() * 1000) * 1_000_000
                yield LogLine(path.stem, wall_ns - ahead_ns, told[0], told[1], number)


def wall_ahead_ns(run: Run) -> int:
    """By how much the wall clock is ahead of the monotonic one: the middle of what the workers wrote down."""
    workers = run.workers
    return int(np.median((workers["wall_ns"] - workers["t_ns"]).to_numpy())) if len(workers) else 0


def clock_error_ns(run: Run) -> int:
    """How far the wall clock may be from that, by what workers and phases wrote down during the run."""
    phases = run.phase_starts
    phases = phases[phases["wall_ns"] > 0]
    ahead = [*(run.workers["wall_ns"] - run.workers["t_ns"]), *(phases["wall_ns"] - phases["t_ns"])]
    return int(max((abs(one - wall_ahead_ns(run)) for one in ahead), default=NS))
