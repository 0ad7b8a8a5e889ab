"""Cells to times in UTC, in the order of the file; they may repeat or step back, as recorders' clocks do.

Numbers are told apart by their size: Excel's days, seconds, milliseconds, microseconds and nanoseconds since 1970, and
dates written as 20240131 or 20240131235900. Smaller ones are seconds since the recording's start. Where a date can be
read in two orders, the one counts that gives the more regular steps; where both are alike, the file is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from factorylab.errors import UsageError
from factorylab.recordings.account import Notes, counted
from factorylab.recordings.header import plain
from factorylab.recordings.layout import DateOrder
from factorylab.recordings.zones import to_utc

Times = NDArray[np.datetime64]
DAY = np.timedelta64(1, "D")
FIRST, LAST = np.datetime64("1970-01-01", "us"), np.datetime64("2100-01-01", "us")
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
SINCE_START = "seconds since the start, counted from 1970-01-01"
SMALL = {"ms": 1e3, "us": 1, "ns": 1e-3}  # µs each
EPOCHS = (  # (from, below, µs each, what they are), see the module
    (0, 25_569, 1e6, SINCE_START),
    (25_569, 73_051, 86_400e6, "Excel's days"),
    (73_051, 31_536_000, 1e6, SINCE_START),
    (31_536_000, 4_102_444_800, 1e6, "seconds since 1970"),
    (31_536_000e3, 4_102_444_800e3, 1e3, "milliseconds since 1970"),
    (31_536_000e6, 4_102_444_800e6, 1, "microseconds since 1970"),
    (31_536_000e9, 4_102_444_800e9, 1e-3, "nanoseconds since 1970"),
)
EXCEL_DAY_0 = 25_569
ORDERS: dict[DateOrder, str] = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year-month-day"}
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
NUMBER = r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?"
TIDY = (
    (r"\s\s+|\t", " "),
    (r"(:\d{2}),(\d)", r"\1.\2"),
    (r"(\d), (\d+:)", r"\1 \2"),
    (r"(\d) ?([AaPp])\.? ?[Mm]\.?$", r"\1 \2M"),
    (r" ?(UTC|GMT)$", "Z"),
)
OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"
WRITE = "write it like 2024-01-31 23:59:00"


@dataclass(frozen=True)
class Convention:
    """How a recording writes its times; files of windows are read by the same. `said` tells it to people."""

    said: str
    order: DateOrder | None = None
    zone: ZoneInfo | None = None


class Unreadable(Exception):
    """`row` is the position of the first cell that is no time, or None; `why` the rule."""

    def __init__(self, row: int | None, why: str) -> None:
        self.row, self.why = row, why


@dataclass(frozen=True)
class Read:
    """`local` are the times as they are written, unless `utc`."""

    local: Times
    utc: bool
    said: str
    order: DateOrder | None = None


def read_times(cells: pd.Series, order: DateOrder | None, name: str = "") -> Read:
    """Times of cells that are all filled; the end of the column's name may tell the unit of times since the start.

    Raises:
        Unreadable: a cell is no time, is out of range, or can be read in two ways.
    """
    if cells.str.fullmatch(NUMBER).all():
        read = _of_numbers(cells, cells.str.replace(",", ".", regex=False).to_numpy(np.float64), name)
    else:
        read = _of_text(cells, order)
    outside = (read.local < FIRST) | (read.local >= LAST)
    if outside.any():
        raise Unreadable(int(np.argmax(outside)), "lies outside 1970–2099")
    return read


def _of_numbers(cells: pd.Series, numbers: NDArray[np.float64], name: str = "") -> Read:
    lengths = cells.str.len().unique()
    if len(lengths) == 1 and int(lengths[0]) in COMPACT:
        written = COMPACT[int(lengths[0])]
        times = _parsed(cells, written)
        if not np.isnat(times).any() and (times >= FIRST).all() and (times < LAST).all():
            return Read(times, False, f"written like {cells.iloc[0]}")
    low, high = float(numbers.min()), float(numbers.max())
    fits = [entry for entry in EPOCHS if entry[0] <= low and high < entry[1]]
    if not fits and low >= 0 and high < EPOCHS[2][1]:  # seconds since the start, beyond the first of Excel's days
        fits = [EPOCHS[0]]
    if not fits:
        row = int(np.argmax(numbers if high >= EPOCHS[-1][1] else -numbers if low < 0 else numbers))
        raise Unreadable(
            row, f"is no time beside {cells.iloc[0]!r}: the column's numbers fit no unit between 1970 and 2099"
        )
    _, _, micros, said = fits[0]
    unit = next((unit for unit in SMALL if said is SINCE_START and plain(name).endswith(unit)), None)
    if unit:
        micros, said = SMALL[unit], SINCE_START.replace("seconds", unit)
    if micros == 86_400e6:
        return Read(_excel(numbers), False, said)
    whole = cells.astype("int64").to_numpy() if cells.str.isdigit().all() else None
    if whole is not None and micros <= 1:
        return Read((whole // round(1 / micros)).astype("datetime64[us]"), True, said)
    return Read(np.round(numbers * micros).astype(np.int64).astype("datetime64[us]"), True, said)


def _excel(days: NDArray[np.float64]) -> Times:
    """To the millisecond; to the second where the steps are of seconds, since the days' decimals are cut off."""
    ms = np.round((days - EXCEL_DAY_0) * 86_400e3)
    if len(ms) > 1 and np.median(np.abs(np.diff(ms))) >= 1_500:
        ms = np.round(ms / 1_000) * 1_000
    times: Times = ms.astype("datetime64[ms]").astype("datetime64[us]")
    return times


def _of_text(cells: pd.Series, order: DateOrder | None) -> Read:
    text = _tidied(cells)
    offsets = text.str.contains(OFFSET)
    times = _iso(text)
    if not np.isnat(times).any():
        if 0 < offsets.sum() < len(text):
            raise Unreadable(int(np.argmin(offsets)), "has no offset from UTC, and others have one")
        utc = bool(offsets.all())
        return Read(times, True, "ISO 8601", "ymd") if utc else _local(times, "ISO 8601", "ymd")
    return _of_dates(text, order)


def _tidied(cells: pd.Series) -> pd.Series:
    """One blank between date and clock, points before fractions, AM and PM in two letters, UTC as Z."""
    text = pa.chunked_array(pa.array(cells, pa.string()))
    for written, plainly in TIDY:
        if pc.any(pc.match_substring_regex(text, written)).as_py():
            text = pc.replace_substring_regex(text, written, plainly)
    tidy: pd.Series = text.to_pandas().set_axis(cells.index)
    return tidy


def _iso(text: pd.Series) -> Times:
    late = text.str.contains(r"[ T]24:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?$")  # the end of a day
    if late.any():
        text = text.where(~late, text.str.replace(r"([ T])24:", r"\g<1>00:", regex=True))
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    return times.dt.tz_localize(None).to_numpy("datetime64[us]") + late.to_numpy() * DAY


def _parsed(text: pd.Series, written: str) -> Times:
    return pd.to_datetime(text, format=written, errors="coerce").to_numpy("datetime64[us]")


def _of_dates(text: pd.Series, wanted: DateOrder | None) -> Read:
    """The order whose dates are all valid, and the more regular one of two."""
    valid = _valid(text, wanted)
    regular = {order: _regularity(_midnights(times)) for order, times in valid.items()}
    alike = {order: times for order, times in valid.items() if regular[order] == max(regular.values())}
    order, times = _only(text, alike)
    return _local(times, ORDERS[order], order)


def _local(times: Times, said: str, order: DateOrder) -> Read:
    moved = _midnights(times)
    count = int((moved != times).sum())
    return Read(moved, False, f"{said}; {count:,} of 0:00 are of the next day" if count else said, order)


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
        raise Unreadable(int(np.argmax(np.isnat(best))), f"{why}: {WRITE}")
    return valid


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
    dates = [d for d in DATES[order] if any(not np.isnat(_parsed(first, d + clock))[0] for clock in CLOCKS)]
    times = np.full(len(text), np.datetime64("NaT", "us"))
    for written in [date + clock for date in dates[:1] for clock in CLOCKS]:
        left = np.isnat(times)
        if not left.any():
            break
        times[left] = _parsed(text[left], written)
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
        read = _of_numbers(cells, numbers.to_numpy(np.float64))
    else:
        text = _tidied(cells)
        times, offsets = _iso(text), text.str.contains(OFFSET).to_numpy()
        if np.isnat(times).any():
            order, moments = _only(text, _valid(text, own))
            read = Read(moments, False, "", order)
        else:
            local = Read(times, False, "")
            return np.where(offsets, times, _utc(local, convention.zone))
    return _utc(read, convention.zone)


def _utc(read: Read, zone: ZoneInfo | None) -> Times:
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
