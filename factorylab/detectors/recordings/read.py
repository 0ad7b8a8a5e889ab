"""A file becomes recordings, one a machine: cells, times, labels, channels, each with what was left out or assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Account, Notes, counted, interval_of, listed, moment
from factorylab.detectors.recordings.channels import read_channels
from factorylab.detectors.recordings.header import is_moment, names_time
from factorylab.detectors.recordings.labels import check_faulty, label_of, read_truth, without_missing
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.moments import ParsedColumn, Unreadable
from factorylab.detectors.recordings.recording import Bools, Floats, Times
from factorylab.detectors.recordings.table import Table, read_table
from factorylab.detectors.recordings.times import CLOCK, Convention, check_repeats, joined, read_times, spaced
from factorylab.detectors.recordings.zones import from_utc, to_utc, zone


@dataclass(frozen=True)
class Rows:
    """The rows of one machine in the file's order. `values` (rows, channels) are NaN where there is none.

    `truth` and `known` say per row whether it is faulty and whether anybody knows; None: there are no labels.
    """

    name: str
    machine: str
    times: Times
    clock: Times | None
    values: Floats
    channels: tuple[str, ...]
    label: str | None
    truth: Bools | None
    known: Bools
    convention: Convention
    table: Table
    read: int
    notes: Notes

    def where(self, row: int) -> str:
        """File and line of a row."""
        return self.table.where(row)

    def only(self, rows: Bools) -> Rows:
        """Some of the rows."""
        truth = None if self.truth is None else self.truth[rows]
        clock = None if self.clock is None else self.clock[rows]
        return replace(
            self, times=self.times[rows], clock=clock, values=self.values[rows], truth=truth, known=self.known[rows],
            table=self.table.only(rows),
        )  # fmt: skip

    def only_channels(self, names: Sequence[str]) -> Rows:
        """Some of the channels."""
        at = [self.channels.index(name) for name in names]
        return replace(self, values=self.values[:, at], channels=tuple(names))

    def account(self, path: Path) -> Account:
        return Account(
            self.name, path.name, self.read, len(self.times), self.channels, self.label, self.convention.said,
            moment(self.times.min()), moment(self.times.max()), interval_of(self.times),
            tuple(self.notes.left_out), tuple(self.notes.assumed),
        )  # fmt: skip


def read_rows(path: Path, columns: Columns, layout: Layout, *, windows: bool = False) -> list[Rows]:
    """One file; with `windows` its labels are not looked for, unless they are named.

    Raises:
        UsageError: naming the file, the line and what is wrong with it.
    """
    notes = Notes()
    table = _open(path, columns, layout, notes)
    times = _time_columns(table, columns.time, layout, notes)
    by, only = _by(table, layout.by)
    label = label_of(table, columns, windows)
    if label:
        table = without_missing(table, label, layout.missing)
        check_faulty(table, label, columns.faulty)
    elif columns.faulty:
        raise UsageError(f"{path}: --faulty tells values of a label, and there is none: name it with --label-column")
    rows = len(table.cells)
    table = _filled(table, times, by, notes)
    others = [*times, *filter(None, (by, label)), *_second_times(table, times, columns, notes)]
    numbers = read_channels(table, layout, columns.values, others, notes)
    values = np.stack([its.values for its in numbers.values()], axis=1)
    found = []
    for machine, its in _machines(table, by, only):
        own = notes.copy()
        part = table.only(its)
        name = f"{path.stem} {machine}" if machine else path.stem
        moments, clock, convention = _times(part, times, layout, own)
        if times:
            check_repeats(moments, name, _hint(table, others), own)
        truth, known = read_truth(part, label, columns.faulty, own) if label else (None, np.ones(len(moments), bool))
        known_by = (label, truth, known)
        found.append(
            Rows(name, machine, moments, clock, values[its], tuple(numbers), *known_by, convention, part, rows, own)
        )
    return found


def _open(path: Path, columns: Columns, layout: Layout, notes: Notes) -> Table:
    by = (layout.by or "").partition("=")[0]
    named = [*(columns.time or "").split("+"), *columns.values, columns.label, by]
    return read_table(path, layout, [name for name in named if name], notes)


def _time_columns(table: Table, wanted: str | None, layout: Layout, notes: Notes) -> list[str]:
    """One column, or two of dates and clocks; none where rows are told to be an interval apart."""
    if layout.interval:
        return []
    if layout.start:
        raise UsageError("--start is the first row's time where --interval says how far apart they are: give both")
    if wanted and wanted not in table.cells.columns and wanted.count("+") == 1:
        return [table.find(part, "--time-column") for part in wanted.split("+")]
    if wanted:
        return [table.find(wanted, "--time-column")]
    found = [str(name) for name in table.cells.columns if names_time(str(name))]
    if not found and not layout.header:  # columns are called by numbers, so cells tell
        found = [str(name) for name in table.cells.columns if is_moment(table.cells[name].iloc[0])][:1]
    if not found:
        there = listed([str(name) for name in table.cells.columns])
        raise UsageError(
            f"{table.path}: there is no column of times that is called timestamp, datetime, date or time; its columns "
            f"are {there}: name one with --time-column, or say how far apart the rows are with --interval"
        )
    clocks = [name for name in found if table.cells[name].str.fullmatch(CLOCK).all()]
    dates = [name for name in found if name not in clocks]
    return [dates[0], clocks[0]] if dates and clocks else [table.find(found[0], "--time-column")]


def _second_times(table: Table, times: list[str], columns: Columns, notes: Notes) -> list[str]:
    """Other columns with a name of times are no measurements."""
    found = [n for n in map(str, table.cells.columns) if names_time(n) and n not in {*times, *columns.values}]
    if found:
        notes.left_out.append(f"{listed(found)}: times as well, which are not used")
    return found


def _by(table: Table, by: str | None) -> tuple[str | None, str]:
    """The column that tells machines apart, and the only machine that is asked for, or ""."""
    if not by:
        return None, ""
    column, _, only = (by, "", "") if by in table.cells.columns else by.partition("=")
    return table.find(column, "--by"), only


def _filled(table: Table, times: list[str], by: str | None, notes: Notes) -> Table:
    """Without rows that are empty, or without a time or a machine."""
    filled = np.ones(len(table.cells), bool)
    empty = (table.cells == "").all(axis=1).to_numpy()
    for why, gone in [
        ("without any cell filled", empty),
        *((f"without {name!r}", (table.cells[name] == "").to_numpy()) for name in [*times, *filter(None, [by])]),
    ]:
        count = int((gone & filled).sum())
        if count:
            notes.left_out.append(f"{counted(count, 'row')} {why}")
        filled &= ~gone
    if not filled.any():
        raise UsageError(f"{table.path}: there is no reading in it")
    return table if filled.all() else table.only(filled)


def _machines(table: Table, by: str | None, only: str) -> list[tuple[str, Bools]]:
    if by is None:
        return [("", np.ones(len(table.cells), bool))]
    column = table.cells[by]
    names = sorted(column.unique(), key=lambda name: (len(name), name))
    if only and only not in names:
        raise UsageError(f"{table.path}: there is no {only!r} in column {by!r}; it has {listed(names)}")
    return [(name, (column == name).to_numpy(bool)) for name in ([only] if only else names)]


def _times(table: Table, columns: list[str], layout: Layout, notes: Notes) -> tuple[Times, Times | None, Convention]:
    """UTC times, those of the plant's clock, and how they are written."""
    where = zone(layout.time_zone) if layout.time_zone else None
    if not columns:
        times = spaced(str(layout.interval), layout.start, table.cells.index.to_numpy(np.int64), where)
        if not layout.start:
            notes.assumed.append("without --start the first row's time is taken as 1970-01-01: weekdays mean nothing")
        said = f"{layout.interval} apart"
        return times, from_utc(times, where) if where else None, Convention(said, None, where)
    cells = table.cells[columns[0]] if len(columns) == 1 else joined(*(table.cells[name] for name in columns))
    try:
        read = read_times(cells, layout.date_order, columns[0])
    except Unreadable as error:
        row = error.row or 0
        raise UsageError(
            f"{table.where(row)}: {cells.iloc[row]!r} in column {' + '.join(columns)!r} {error.why}"
        ) from None
    convention = Convention(f"{' + '.join(columns)}, {read.said}", layout.date_order or read.order, where)
    return _in_zone(read, convention, notes)


def _in_zone(read: ParsedColumn, written: Convention, notes: Notes) -> tuple[Times, Times | None, Convention]:
    where = written.zone
    if where is None:
        return read.local, None, written if read.utc else replace(written, said=f"{written.said}, taken as UTC")
    if read.utc:
        return read.local, from_utc(read.local, where), written
    return to_utc(read.local, where, notes), read.local, replace(written, said=f"{written.said}, in {where.key}")


def _hint(table: Table, others: Sequence[str]) -> str:
    """Columns that may tell machines apart: few values, each many times."""
    counts = {name: table.cells[name].nunique() for name in table.cells.columns if name not in others}
    few = [str(name) for name, count in counts.items() if 2 <= count <= min(1_000, len(table.cells) // 3)]
    return f"; it may be {listed(few[:5])}" if few else ""
