"""Files of windows: when something is known to be wrong.

JSON: a list for all recordings, or an object of lists by file; its entries are [start, end], {"start": …, "end": …} or
single moments. CSV: columns for start and end by their names, or one of moments; a column `file` says which recording,
the column of `--by` which machine. Times are read by the recording's own convention. A moment stands for the rows at
that time; moments no farther apart than the rows make one window. An end without a clock is the end of that day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, interval_of, listed, moment
from factorylab.detectors.recordings.header import is_moment, names_time, plain
from factorylab.detectors.recordings.labels import tells
from factorylab.detectors.recordings.layout import Layout
from factorylab.detectors.recordings.moments import Unreadable
from factorylab.detectors.recordings.recording import Times, Window
from factorylab.detectors.recordings.table import NoHeader, Table, read_table
from factorylab.detectors.recordings.text import read_text
from factorylab.detectors.recordings.times import CLOCK, Convention, joined, read_moments

START = re.compile(r"(start|begin|onset|anfang).*|from|von")
END = re.compile(r"(end|stop|finish|until|till|bis).*|to")
FILES = {"file", "filename", "recording"}
EXPECTED = 'write {"file.csv": [["2024-01-31 10:00:00", "2024-01-31 12:00:00"]]}, or a .csv with start,end'
HEALTHY = {"0", "0.0", "false", "no", "normal", "healthy", "ok", "good", "none"}
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class Stretch:
    """As it is written; `start` is `end` for a moment. `machine` is "" for all."""

    start: str
    end: str
    machine: str = ""

    def __str__(self) -> str:
        return self.start if self.start == self.end else f"{self.start} to {self.end}"


@dataclass(frozen=True)
class Windows:
    """Stretches by the recording's name; those for all recordings have the name ""."""

    path: Path
    by_name: Mapping[str, Sequence[Stretch]]

    def of(self, file: Path, machine: str) -> list[Stretch]:
        """Those of a recording: by the end of its path, or the only list there is without a name.

        Raises:
            UsageError: the file of windows does not name the recording, or names two that it could be.
        """
        fits = [name for name in self.by_name if name and Path(name).name in {file.name, file.stem}]
        whole = [name for name in fits if file.resolve().as_posix().endswith("/" + name)]
        fits = whole or fits
        if len(fits) > 1:
            raise UsageError(f"{self.path}: {listed(fits)} could all be {file}: name it by more of its path")
        if not fits and "" not in self.by_name:
            there = listed([*self.by_name]) or "none"
            raise UsageError(f"{self.path} has no windows for {file.name}: it has some for {there}")
        return [one for one in self.by_name[fits[0] if fits else ""] if one.machine in {"", machine}]


def read_windows(path: Path, layout: Layout, notes: Notes) -> Windows:
    """The windows of a file, as they are written.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    text = read_text(path, None, Notes())
    if text.lstrip()[:1] not in {"[", "{"}:
        return Windows(path, _of_table(path, layout, notes))
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
        by_name = found if isinstance(found, dict) else {"": found}
        known = Windows(path, {name: [*map(_stretch, rows)] for name, rows in by_name.items()})
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is no file of windows ({error}): {EXPECTED}") from None
    moments = [one for stretches in known.by_name.values() for one in stretches if one.start == one.end]
    if moments:
        some = listed([*map(str, moments[:2])])
        notes.assumed.append(f"{path.name}: single moments, as {some}; each stands for the rows at that time alone")
    if not known.by_name.get("", True):
        raise UsageError(f"{path}: there is no window in it: {EXPECTED}, or leave it out")
    return known


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError for a name that stands there twice, of which json would keep the last."""
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} stands there twice")
    return dict(pairs)


def _stretch(entry: object) -> Stretch:
    match entry:
        case str() | int() | float():
            return Stretch(str(entry), str(entry))
        case [(str() | int() | float()) as start, (str() | int() | float()) as end]:
            return Stretch(str(start), str(end))
        case dict():
            starts, ends = (
                [value for key, value in entry.items() if name.fullmatch(plain(str(key)))] for name in (START, END)
            )
            if len(starts) == len(ends) == 1:
                return Stretch(str(starts[0]), str(ends[0]))
    raise ValueError(f"{entry!r} is neither a moment nor [start, end]")


def _of_table(path: Path, layout: Layout, notes: Notes) -> dict[str, list[Stretch]]:
    try:
        table = read_table(path, Layout(), (), Notes())
    except NoHeader:
        table = read_table(path, Layout(header=False), (), Notes())
    table = _with_clocks(table)
    start, end = _columns(table)
    _refuse_healthy(table)
    machine = (layout.by or "").partition("=")[0]
    file = next((name for name in table.cells.columns if plain(name) in FILES), None)
    unused = [name for name in table.cells.columns if name not in {start, end, machine, file}]
    if unused:
        notes.assumed.append(f"{path.name}: windows are {start} to {end}; not used: {listed(unused)}")
    found: dict[str, list[Stretch]] = {}
    for row in table.cells.to_dict("records"):
        if bool(row[start]) != bool(row[end]):
            raise UsageError(f"{path}: a window has no {end if row[start] else start}: {row[start] or row[end]}")
        if row[start]:
            name = row[file] if file else ""
            found.setdefault(name, []).append(Stretch(row[start], row[end], row.get(machine, "")))
    return found


def _with_clocks(table: Table) -> Table:
    """Dates and clocks in columns of their own (start_date, start_time, end_date, end_time) become start and end."""
    cells, names = table.cells, [str(name) for name in table.cells.columns]
    for kind in (START, END):
        found = [name for name in names if kind.fullmatch(plain(name))]
        clocks = [name for name in found if cells[name].str.fullmatch(CLOCK).all()]
        dates = [name for name in found if name not in clocks]
        if len(dates) == len(clocks) == 1:
            cells = cells.assign(**{dates[0]: joined(cells[dates[0]], cells[clocks[0]])}).drop(columns=clocks)
    return replace(table, cells=cells)


def _refuse_healthy(table: Table) -> None:
    """Raises UsageError where a column of labels says that a row is no fault: every row would be taken as one."""
    for name in filter(tells, map(str, table.cells.columns)):
        healthy = table.cells[name].str.lower().isin(HEALTHY).to_numpy()
        if healthy.any():
            row = int(np.argmax(healthy))
            raise UsageError(
                f"{table.where(row)}: {name!r} is {table.cells[name].iloc[row]!r}, and every row of a file of windows "
                "is a fault: leave the healthy rows out; labels of all rows belong into the recording (--label-column)"
            )


def _columns(table: Table) -> tuple[str, str]:
    names = [str(name) for name in table.cells.columns]
    starts, ends = ([name for name in names if kind.fullmatch(plain(name))] for kind in (START, END))
    if len(starts) == len(ends) == 1:
        return starts[0], ends[0]
    moments = [name for name in names if names_time(name)]
    if not starts and not ends and len(moments) == 1:
        return moments[0], moments[0]
    times = [name for name in names if is_moment(table.cells[name].iloc[0])]
    if not starts and not ends and 1 <= len(times) <= 2:
        return times[0], times[-1]
    raise UsageError(f"{table.path}: which columns are start and end? It has {listed(names)}: call them start and end")


def resolved(
    windows: Windows, stretches: Sequence[Stretch], times: Times, convention: Convention, notes: Notes
) -> tuple[list[Stretch], tuple[Window, ...]]:
    """The stretches that hold a row of a recording, and the windows that they make, in order and merged.

    Raises:
        UsageError: a time cannot be read, or a window ends before it starts.
    """
    if not stretches:
        return [], ()
    starts, ends = (
        _moments(windows, cells, convention) for cells in zip(*((s.start, s.end) for s in stretches), strict=True)
    )
    whole_days = np.array([":" not in s.end and not s.end.replace(".", "").isdigit() for s in stretches])
    ends = np.where(whole_days, ends + DAY - np.timedelta64(1, "us"), ends)
    for stretch, start, end in zip(stretches, starts, ends, strict=True):
        if end < start:
            raise UsageError(f"{windows.path}: {stretch} ends before it starts")
    holding = [bool(((times >= a) & (times <= b)).any()) for a, b in zip(starts, ends, strict=True)]
    held = [stretch for stretch, holds in zip(stretches, holding, strict=True) if holds]
    pairs = [(a, b, s.start == s.end) for a, b, s, holds in zip(starts, ends, stretches, holding, strict=True) if holds]
    merged = _merged(pairs, interval_of(times) or 0)
    if len(merged) < len(held):
        notes.assumed.append(f"{len(held):,} windows overlap or adjoin and make {len(merged):,}")
    if whole_days.any():
        one = stretches[int(np.argmax(whole_days))]
        notes.assumed.append(f"a window's end without a clock is the end of that day: {one}")
    return held, tuple(merged)


def _moments(windows: Windows, cells: Iterable[str], convention: Convention) -> Times:
    texts = pd.Series([*cells], dtype="str").str.strip()
    try:
        return read_moments(texts, convention)
    except Unreadable as error:
        raise UsageError(f"{windows.path}: {texts.iloc[error.row or 0]!r} {error.why}") from None


def _merged(pairs: list[tuple[np.datetime64, np.datetime64, bool]], interval_s: float) -> list[Window]:
    merged: list[tuple[np.datetime64, np.datetime64, bool]] = []
    near = np.timedelta64(round(interval_s * 1e6), "us")
    for start, end, single in sorted(pairs, key=lambda pair: pair[:2]):
        last = merged[-1] if merged else None
        if last and (start <= last[1] or (single and last[2] and start - last[1] <= near)):
            merged[-1] = (last[0], max(last[1], end), single and last[2])
        else:
            merged.append((start, end, single))
    return [(start, end) for start, end, _ in merged]


def refuse_unused(windows: Windows, unused: Sequence[Stretch], spans: Sequence[tuple[str, Times]]) -> None:
    """Raises UsageError where a window holds no row of any recording that it is for."""
    if unused:
        known = "; ".join(
            f"{name} is from {moment(times.min())} to {moment(times.max())} UTC" for name, times in spans[:3]
        )
        more = f" (and {len(unused) - 1} others)" if len(unused) > 1 else ""
        raise UsageError(f"{windows.path}: no row lies in the window {unused[0]}{more}: {known}")
