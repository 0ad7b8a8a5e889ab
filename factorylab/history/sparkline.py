"""How many readings a second a run stored in the course of time, small enough for a list of runs.

`derived/sparkline.json` is written when a run is judged, so that a list need not read tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from factorylab.core.files import read_json
from factorylab.history.run_folders import RunFolder

PARTS = 24
PEAK = 2
BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"
UNSEEN = " "


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Readings per second (`of`: stored, or acked where nobody tells when it stored) in PARTS equal parts of the time
    from the first reading to the end of the drain, which took `seconds`."""

    of: str
    seconds: float
    per_s: list[float]


def path_of(run: RunFolder) -> Path:
    return run.derived / "sparkline.json"


def write(run: RunFolder, course: Course) -> None:
    run.derived.mkdir(parents=True, exist_ok=True)
    path_of(run).write_bytes(msgspec.json.encode(course) + b"\n")


def read(run: RunFolder) -> Course | None:
    """None where the run was not judged since there are sparklines."""
    return read_json(path_of(run), Course)


def drawn(values: Sequence[float], signs: str = BLOCKS) -> str:
    """A sign a value, from the first of `signs` for zero to the last for the highest, or for twice the median and more:
    else a stall would not show beside the peak in which it is made up for."""
    working = sorted(value for value in values if value > 0)
    if not working:
        return signs[0] * len(values)
    top = min(working[-1], PEAK * working[len(working) // 2])  # `statistics` takes too long to load
    return "".join(signs[round(min(max(value / top, 0), 1) * (len(signs) - 1))] for value in values)
