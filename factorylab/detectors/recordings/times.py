"""Cells to times in UTC, in the order of the file; they may repeat or step back, as recorders' clocks do.

Numbers are told apart by their size (`moments`), offsets and abbreviated zones are read first (`offsets`). Where a date
can be read in two orders, the one counts that gives the more regular steps; where both are alike, the file is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, counted
from factorylab.detectors.recordings.layout import DateOrder
from factorylab.detectors.recordings.moments import FIRST, LAST, ParsedColumn, Times, Unreadable, of_numbers, parsed
from factorylab.detectors.recordings.offsets import abbreviations, said_of, tidied, without_offsets
from factorylab.detectors.recordings.zones import to_utc

DAY = np.timedelta64(1, "D")
DATES: dict[DateOrder, tuple[str, ...]] = {
    "ymd": ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d"),
    "dmy": (
        "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%d-%b-%Y", "%d %b %Y", "%d/%b/%Y",
        "%d-%b-%y", "%d %b %y", "%d %B %Y",
    ),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y", "%m.%d.%y", "%b %d %Y", "%b %d, %Y",
        "%B %d, %Y"),
}  # fmt: skip
CLOCKS = (
    " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", " %I:%M:%S.%f %p", "", " %H.%M.%S", " %H.%M",
    ".%H.%M.%S", ":%H:%M:%S",
)  # fmt: skip
ORDERS: dict[DateOrder, str] = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year-month-day"}
NUMBER = r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?"
CLOCK = r"\d{1,2}:\d{2}.*"  # alone in its cell
WRITE = "write it like 2024-01-31 23:59:00"


@dataclass(frozen=True)
class Convention:
    """How a recording writes its times; files of windows are read by the same. `said` tells it to people."""

    said: str
    order: DateOrder | None = None
    zone: ZoneInfo | None = None


def read_times(cells: pd.Series, order: DateOrder | None, name: str = "") -> ParsedColumn:
    """Times of cells that are all filled; the end of the column's name may tell the unit of times since the start.

    Raises:
        Unreadable: a cell is no time, is out of range, or can be read in two ways.
    """
    if cells.str.fullmatch(NUMBER).all():
        read = of_numbers(cells, cells.str.replace(",", ".", regex=False).to_numpy(np.float64), name)
    else:
        read = _of_text(cells, order)
    outside = (read.local < FIRST) | (read.local >= LAST)
    if outside.any():
        raise Unreadable(int(np.argmax(outside)), "lies outside 1970–2099")
    return read


def _of_text(cells: pd.Series, order: DateOrder | None) -> ParsedColumn:
    text = tidied(cells)
    bare, offset, has = without_offsets(text)
    if 0 < has.sum() < len(has):
        raise Unreadable(int(np.argmin(has)), "has no offset from UTC, and others have one")
    times = _iso(text)
    if not np.isnat(times).any():
        read = ParsedColumn(times, True, "ISO 8601", "ymd") if has.all() else _local(times, "ISO 8601", "ymd")
    else:
        read = _of_dates(bare, order)
        if has.all():
            read = replace(read, local=read.local - offset, utc=True)
    return replace(read, said=read.said + said_of(cells))


def _iso(text: pd.Series) -> Times:
    late = text.str.contains(r"[ T]24:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?$")  # the end of a day
    if late.any():
        text = text.where(~late, text.str.replace(r"([ T])24:", r"\g<1>00:", regex=True))
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    return times.dt.tz_localize(None).to_numpy("datetime64[us]") + late.to_numpy() * DAY


def _of_dates(text: pd.Series, wanted: DateOrder | None) -> ParsedColumn:
    """The order whose dates are all valid, and the more regular one of two."""
    valid = _valid(text, wanted)
    regular = {order: _regularity(_midnights(times)) for order, times in valid.items()}
    alike = {order: times for order, times in valid.items() if regular[order] == max(regular.values())}
    order, times = _only(text, alike)
    return _local(times, ORDERS[order], order)


def _local(times: Times, said: str, order: DateOrder) -> ParsedColumn:
    moved = _midnights(times)
    count = int((moved != times).sum())
    return ParsedColumn(moved, False, f"{said}; {count:,} of 0:00 are of the next day" if count else said, order)


def _valid(text: pd.Series, wanted: DateOrder | None) -> dict[DateOrder, Times]:
    """The orders in which every cell is a date.

    Raises:
        Unreadable: there is none.
    """
    found = {order: _in_order(text, order) for order in ([wanted] if wanted else DATES)}
    valid = {order: times for order, times in found.items() if not np.isnat(times).any()}
    if not valid:
        best = min(found.values(), key=lambda times: int(np.isnat(times).sum()))
        why = f"is no time in the order {ORDERS[wanted]}" if wanted else "is no time"
        row = int(np.argmax(np.isnat(best)))
        raise Unreadable(row, f"{why}: {_way_out(text.iloc[row : row + 1])}")
    return valid


def _way_out(cell: pd.Series) -> str:
    if zone := abbreviations(cell):
        return f"{zone[0]!r} can be several time zones: write the offset (+05:30), or leave it out and say --time-zone"
    return WRITE


def _only(text: pd.Series, read: dict[DateOrder, Times]) -> tuple[DateOrder, Times]:
    """The only order; of several the first if they agree, and days first where points separate.

    Raises:
        Unreadable: a date can be read in two ways.
    """
    if "dmy" in read and bool(re.match(r"\d{1,2}\.\d{1,2}\.", text.iloc[0])):
        return "dmy", read["dmy"]
    (order, times), *others = read.items()
    for other, differently in others:
        row = int(np.argmax(times != differently))
        if times[row] != differently[row]:
            both = f"{ORDERS[order]} ({_day(times[row])}) or {ORDERS[other]} ({_day(differently[row])})"
            raise Unreadable(row, f"can be {both}: say which with --date-order (date_order) {order} or {other}")
    return order, times


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))


def _in_order(text: pd.Series, order: DateOrder) -> Times:
    """NaT where a cell is no date in this order; a format is tried on what those before it left."""
    late = text.str.contains(r" 24:00(?::00)?$")
    text = text.where(~late, text.str.replace(" 24:", " 00:")) if late.any() else text
    first = text.iloc[:1]
    dates = [d for d in DATES[order] if any(not np.isnat(parsed(first, d + clock))[0] for clock in CLOCKS)]
    times = np.full(len(text), np.datetime64("NaT", "us"))
    for written in [date + clock for date in dates[:1] for clock in CLOCKS]:
        left = np.isnat(times)
        if not left.any():
            break
        times[left] = parsed(text[left], written)
    return times + late.to_numpy() * DAY


def _regularity(times: Times) -> float:
    """The share of steps that are the most frequent one."""
    return float(np.unique(np.diff(times), return_counts=True)[1].max(initial=0)) / max(len(times) - 1, 1)


def _midnights(times: Times) -> Times:
    """0:00 of a day that comes after that day's other times, or a day and more before the next, belongs to the next."""
    if (np.diff(times) < np.timedelta64(0)).sum() * 2 > len(times):  # newest first
        return times
    midnight = times == times.astype("datetime64[D]")
    before, after = np.r_[times[:1], times[:-1]], np.r_[times[1:], times[-1:]]
    first = np.arange(len(times)) == 0
    behind = (before > times) & (before - times < DAY) & (after - times > DAY)
    behind |= (before > times) & (before - times < DAY) & (np.arange(len(times)) == len(times) - 1)
    behind |= first & (after - times > DAY) & behind.any()
    return np.where(midnight & behind, times + DAY, times)


def read_moments(cells: pd.Series, convention: Convention) -> Times:
    """UTC times of single moments, by a recording's convention: offsets and sizes of numbers tell for themselves.

    Raises:
        Unreadable: as `read_times`.
    """
    own = convention.order if convention.order in {"dmy", "mdy"} else None
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().all():
        read = of_numbers(cells, numbers.to_numpy(np.float64))
    else:
        read = _of_moments(tidied(cells), own, convention)
    return _utc(read, convention.zone)


def _of_moments(text: pd.Series, order: DateOrder | None, convention: Convention) -> ParsedColumn:
    """UTC where there is an offset or the recording's zone is known; some may have an offset and others none."""
    bare, offset, has = without_offsets(text)
    times = _iso(bare)
    if np.isnat(times).any():
        _, times = _only(bare, _valid(bare, order))
    return ParsedColumn(np.where(has, times - offset, _utc(ParsedColumn(times, False, ""), convention.zone)), True, "")


def _utc(read: ParsedColumn, zone: ZoneInfo | None) -> Times:
    return read.local if read.utc or zone is None else to_utc(read.local, zone)


def joined(date: pd.Series, clock: pd.Series) -> pd.Series:
    """Date and Time of two columns in one."""
    return date.str.replace(r"[ T]0?0:00(:00)?(\.0+)?$", "", regex=True) + " " + clock


def check_repeats(times: Times, name: str, hint: str, notes: Notes) -> None:
    """Say how many times repeat or step back.

    Raises:
        UsageError: two in five or more of them stood there before.
    """
    forward = bool((np.diff(times) > np.timedelta64(0)).all())
    repeated = 0 if forward else len(times) - len(np.unique(times))
    if len(times) > 2 and repeated * 5 >= 2 * len(times):
        raise UsageError(
            f"{name}: {repeated:,} of {len(times):,} rows repeat a time that another row has: are they several "
            f"machines in turn? Say which column tells them apart with --by COLUMN (by){hint}; rows of one machine "
            "with too coarse a clock: --interval"
        )
    if repeated:
        notes.assumed.append(f"{counted(repeated, 'row')} with the time of another")
    back = int((np.diff(times) < np.timedelta64(0)).sum())
    if back:
        notes.assumed.append(f"times step back {counted(back, 'time')}; the file's order is kept")


def spaced(interval: str, start: str | None, rows: NDArray[np.int64], zone: ZoneInfo | None) -> Times:
    """Times of rows (numbers from 0) that are `interval` apart.

    Raises:
        UsageError: the interval is no duration with a unit, or the start no time.
    """
    try:
        step = pd.Timedelta(interval) if not interval.strip().replace(".", "").isdigit() else pd.NaT
    except ValueError:
        step = pd.NaT
    if step is pd.NaT or step <= pd.Timedelta(0):
        raise UsageError(f"the interval {interval!r} is no duration: write it like 15min, 1s, 100ms or 1h")
    try:
        first = read_moments(pd.Series([start or "1970-01-01"], dtype="str"), Convention("", None, zone))[0]
    except Unreadable as error:
        raise UsageError(f"the start {start!r} {error.why}") from None
    times: Times = first + rows * np.timedelta64(step.value // 1_000, "us")
    return times
