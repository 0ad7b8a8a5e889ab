"""Recordings: a column of times, one or several of values, and what is known to be wrong in them.

Layouts differ, so much is found out: the separator (comma, semicolon, tab), a mark at the file's start, gzip, and the
date's order. What cannot be found out is an error that names the file, the rule and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.errors import UsageError
from factorylab.scoring.times import Times, parse_times

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Window = tuple[np.datetime64, np.datetime64]

SEPARATORS = (";", "\t", ",")
TIME_NAMES = ("timestamp", "datetime", "date", "time")
LABEL_NAMES = ("anomaly", "label", "is_anomaly")
NO_VALUES = ("changepoint",)  # a second label of some recordings, not a measurement


@dataclass(frozen=True)
class Layout:
    """Names of the columns; None: found out."""

    time: str | None = None
    values: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Recording:
    """`values` has the shape (rows, channels). `truth` says per row whether something is wrong; None: nobody knows.

    `windows` are the faults as stretches of time, where they are given as such. Only rows in `scored` count.
    """

    name: str
    times: Times
    values: Floats
    channels: tuple[str, ...]
    truth: Bools | None
    windows: tuple[Window, ...] | None
    scored: Bools

    @property
    def interval_s(self) -> float:
        """The usual time between two rows.

        Raises:
            UsageError: no time is later than the one before.
        """
        steps = np.diff(self.times) / np.timedelta64(1, "s")
        if not (steps > 0).any():
            raise UsageError(f"{self.name}: no time in it is later than the one before: which column holds the times?")
        return float(np.median(steps[steps > 0]))

    def part(self, part: str) -> Recording:
        """The same with only the first or the second half of its rows scored; a detector still sees all before."""
        half = np.arange(len(self.times)) < len(self.times) // 2
        chosen = {"all": np.ones(len(half), bool), "first-half": half, "second-half": ~half}
        if part not in chosen:
            raise UsageError(f"no part {part!r} of a recording: one of {', '.join(chosen)}")
        return replace(self, scored=self.scored & chosen[part])


def read(path: Path, layout: Layout, windows: tuple[Window, ...] | None = None) -> Recording:
    """One file.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    table = _table(path)
    time = _time_column(path, table, layout.time)
    label = layout.label or next((c for c in table.columns if c.lower() in LABEL_NAMES and windows is None), None)
    if label is not None and label not in table.columns:
        raise UsageError(f"{path}: there is no column {label!r}; its columns are {_listed(table)}")
    values = _values(path, table, layout.values, {time, label})
    truth = None if label is None else _truth(path, table[label])
    times = parse_times(path, table[time])
    if windows is not None:
        truth = np.zeros(len(times), bool)
        for start, end in windows:
            truth |= (times >= start) & (times <= end)
    return Recording(
        path.stem, times, values.to_numpy(np.float64), tuple(values.columns), truth, windows, np.ones(len(times), bool)
    )


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and the .csv files of folders, numbers in their names in order.

    Raises:
        UsageError: one of them is not there, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there: name a recording, or a folder of recordings")
        inside = [file for kind in ("*.csv", "*.csv.gz") for file in path.glob(kind)] if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path} holds no .csv file: name the recordings themselves")
        found += sorted(inside, key=lambda file: (len(file.name), file.name))
    return found


def _table(path: Path) -> pd.DataFrame:
    try:
        header = pd.read_csv(path, sep="\0", nrows=0, encoding="utf-8-sig", engine="python").columns[0]
        table = pd.read_csv(path, sep=max(SEPARATORS, key=header.count), encoding="utf-8-sig")
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(f"{path} cannot be read as a table with a header: {error}") from None
    if not len(table):
        raise UsageError(f"{path}: there is no reading in it, only a header")
    return table.rename(columns=str.strip)


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))


def _time_column(path: Path, table: pd.DataFrame, wanted: str | None) -> str:
    found = [c for c in table.columns if c == wanted or (wanted is None and str(c).lower() in TIME_NAMES)]
    if not found:
        missing = f"no column {wanted!r}" if wanted else f"no column of times that is called {' or '.join(TIME_NAMES)}"
        raise UsageError(f"{path}: there is {missing}; its columns are {_listed(table)}: name one with --time-column")
    return str(found[0])


def _values(path: Path, table: pd.DataFrame, wanted: Sequence[str], others: set[str | None]) -> pd.DataFrame:
    """The columns of values; a hole takes the value before it, since a detector sees the last known value."""
    unknown = [column for column in wanted if column not in table.columns]
    if unknown:
        raise UsageError(f"{path}: there is no column {unknown[0]!r}; its columns are {_listed(table)}")
    rest = [c for c in table.select_dtypes("number").columns if c not in others and c.lower() not in NO_VALUES]
    chosen = list(wanted) or rest
    if not chosen:
        raise UsageError(f"{path}: it has no column of numbers besides times and labels: name it with --value-column")
    numbers = table[chosen].apply(pd.to_numeric, errors="coerce").replace([np.inf, -np.inf], np.nan)
    empty = [column for column in chosen if numbers[column].isna().all()]
    if empty:
        raise UsageError(f"{path}: the column {empty[0]!r} holds no number")
    filled: pd.DataFrame = numbers.ffill().bfill()
    return filled


def _truth(path: Path, labels: pd.Series) -> Bools:
    words = {"true": 1.0, "false": 0.0, "anomaly": 1.0, "normal": 0.0}
    numbers = pd.to_numeric(labels.map(lambda label: words.get(str(label).strip().lower(), label)), errors="coerce")
    if numbers.isna().any():
        wrong = labels[numbers.isna()].iloc[0]
        raise UsageError(f"{path}: the label {wrong!r} in column {labels.name!r} is neither 0 nor 1")
    return numbers.to_numpy(np.float64) > 0.5
