"""Cells that are numbers to times: what they count is told by their size, and by the unit in the column's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.detectors.recordings.layout import DateOrder

Times = NDArray[np.datetime64]
FIRST, LAST = np.datetime64("1970-01-01", "us"), np.datetime64("2100-01-01", "us")
SINCE_START = "seconds since the start, counted from 1970-01-01"
LONG_S = 31_536_000  # a year
UNITS = {  # µs each, of times since the start
    "ms": ("ms", 1e3), "us": ("µs", 1.0), "µs": ("µs", 1.0), "μs": ("µs", 1.0), "ns": ("ns", 1e-3),
    "min": ("minutes", 60e6), "minutes": ("minutes", 60e6), "h": ("hours", 3_600e6), "hours": ("hours", 3_600e6),
    "d": ("days", 86_400e6), "days": ("days", 86_400e6),
}  # fmt: skip
UNIT = re.compile(rf"(?:(?:^|[^a-zµμ])({'|'.join(UNITS)})|(ms|us|ns))\W*$")
EPOCHS = (  # (from, below, µs each, what they are)
    (0, 25_569, 1e6, SINCE_START),
    (25_569, 73_051, 86_400e6, "Excel's days"),
    (73_051, LONG_S, 1e6, SINCE_START),
    (LONG_S, 4_102_444_800, 1e6, "seconds since 1970"),
    (31_536_000e3, 4_102_444_800e3, 1e3, "milliseconds since 1970"),
    (31_536_000e6, 4_102_444_800e6, 1, "microseconds since 1970"),
    (31_536_000e9, 4_102_444_800e9, 1e-3, "nanoseconds since 1970"),
)
EXCEL_DAY_0 = 25_569
COMPACT = {  # dates in digits, by how many there are; what is no date in all cells is a number
    8: ("%Y%m%d",), 10: ("%Y%m%d%H",), 12: ("%Y%m%d%H%M", "%y%m%d%H%M%S"), 14: ("%Y%m%d%H%M%S",),
    17: ("%Y%m%d%H%M%S%f",),
}  # fmt: skip


class Unreadable(Exception):
    """`row` is the position of the first cell that is no time, or None; `why` the rule."""

    def __init__(self, row: int | None, why: str) -> None:
        self.row, self.why = row, why


@dataclass(frozen=True)
class ParsedColumn:
    """`local` are the times as they are written, unless `utc`."""

    local: Times
    utc: bool
    said: str
    order: DateOrder | None = None


def parsed(text: pd.Series, written: str) -> Times:
    """NaT where a cell is not written like this."""
    return pd.to_datetime(text, format=written, errors="coerce").to_numpy("datetime64[us]")


def of_numbers(cells: pd.Series, numbers: NDArray[np.float64], name: str = "") -> ParsedColumn:
    """Times of numbers; `cells` are the same as they are written, `name` is their column's.

    Raises:
        Unreadable: a number fits no unit.
    """
    compact = _compact(cells)
    if compact is not None:
        return ParsedColumn(compact, False, f"written like {cells.iloc[0]}")
    micros, said = _unit(cells, numbers, name)
    if micros == EPOCHS[1][2] and said == EPOCHS[1][3]:
        return ParsedColumn(_excel(numbers), False, said)
    whole = cells.astype("int64").to_numpy() if cells.str.isdigit().all() else None
    if whole is not None and micros <= 1:
        return ParsedColumn((whole // round(1 / micros)).astype("datetime64[us]"), True, said)
    return ParsedColumn(np.round(numbers * micros).astype(np.int64).astype("datetime64[us]"), True, said)


def _compact(cells: pd.Series) -> Times | None:
    lengths = cells.str.len().unique()
    for written in COMPACT.get(int(lengths[0]), ()) if len(lengths) == 1 else ():
        times = parsed(cells, written)
        if not np.isnat(times).any() and (times >= FIRST).all() and (times < LAST).all():
            return times
    return None


def _unit(cells: pd.Series, numbers: NDArray[np.float64], name: str) -> tuple[float, str]:
    """µs each, and what they are."""
    low, high = float(numbers.min()), float(numbers.max())
    named = UNIT.search(name.lower())
    if named and 0 <= low < EXCEL_DAY_0:
        unit, micros = UNITS[named[1] or named[2]]
        if high * micros < LONG_S * 1e6 * 10:
            return micros, SINCE_START.replace("seconds", unit)
    fits = [entry[2:] for entry in EPOCHS if entry[0] <= low and high < entry[1]]
    if not fits and low >= 0 and high < LONG_S:  # seconds since the start, beyond the first of Excel's days
        fits = [EPOCHS[0][2:]]
    if not fits:
        row = int(np.argmax(numbers if high >= EPOCHS[-1][1] else -numbers if low < 0 else numbers))
        raise Unreadable(
            row,
            f"is no time beside {cells.iloc[0]!r}: the column's numbers fit no unit between 1970 and 2099; of rows "
            "that are equally far apart say how far with --interval",
        )
    return fits[0]


def _excel(days: NDArray[np.float64]) -> Times:
    """To the millisecond; to the second where the steps are of seconds, since the days' decimals are cut off."""
    ms = np.round((days - EXCEL_DAY_0) * 86_400e3)
    if len(ms) > 1 and np.median(np.abs(np.diff(ms))) >= 1_500:
        ms = np.round(ms / 1_000) * 1_000
    times: Times = ms.astype("datetime64[ms]").astype("datetime64[us]")
    return times
