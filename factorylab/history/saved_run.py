"""A saved run: its scenario, its manifest and its tables as frames, read only when asked for.

Rules: a table's columns are those of its row type in `history`, with the dense types of `run_tables`. An absent table
is an empty frame here; the audit, which asks `missing()`, never takes absence for "nothing happened". Only the columns
asked for are read.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.core.vocabulary import Outcome, Phase
from factorylab.history import manifest, run_folders
from factorylab.history.run_tables import FrameTables, StoredTables, Tables, dense, dtypes
from factorylab.history.table_chunks import Chunk, Ints
from factorylab.history.tables import OF_SHARE_GROUPS, OF_TRANSACTIONS, SINCE, TABLES
from factorylab.history.unfinished import UnfinishedTables, broken_off
from factorylab.scenarios.model import Scenario

NOT_OFFERED: Outcome = "not_offered"
Measured = TypeVar("Measured")


class Kept:
    """What was measured on this object, kept from the first time on."""

    @cached_property
    def _measured(self) -> dict[Callable[[Any], Any], Any]:
        return {}

    def once(self, measure: Callable[[Self], Measured]) -> Measured:
        """What `measure` makes of it, made at the first call and kept."""
        if measure not in self._measured:
            self._measured[measure] = measure(self)
        found: Measured = self._measured[measure]
        return found


class Run(Kept):
    """One saved run. `run.sends`, `run.lag`, … (every table of `history`) are frames, kept once read."""

    def __init__(self, folder: run_folders.RunFolder, tables: Tables | None = None) -> None:
        self.folder = folder
        self._tables = tables or (UnfinishedTables(folder) if broken_off(folder) else StoredTables(folder))
        self._kept: dict[str, pd.DataFrame] = {}

    @classmethod
    def from_frames(cls, folder: run_folders.RunFolder, frames: Mapping[str, pd.DataFrame]) -> Self:
        """A run whose scenario, manifest and logs are in `folder` and whose tables are these frames: nothing is read
        from `folder/raw/history`. A table that is not among them was not recorded."""
        return cls(folder, FrameTables(frames))

    def __repr__(self) -> str:
        return f"<Run {self.scenario.name} {self.folder.path.name}>"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *TABLES]

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name not in TABLES:
            raise AttributeError(f"a run has no {name!r}; its tables are {', '.join(TABLES)}")
        if name not in self._kept:
            self._kept[name] = self.frame(name)
        return self._kept[name]

    def release(self) -> None:
        """Let go of the tables that were read; they are read again when asked for."""
        self._kept.clear()
        self._measured.clear()

    @cached_property
    def scenario(self) -> Scenario:
        return self.folder.scenario()

    @property
    def tells_when_written(self) -> bool:
        """Are the times of `rows` those at which a program under test wrote them?"""
        return self.scenario.subject is not None and self.scenario.subject.times

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """The tables that a run of this consumption may fill."""
        others = OF_SHARE_GROUPS if not self.scenario.shared else frozenset[str]()
        others |= OF_TRANSACTIONS if not self.scenario.transactional else frozenset[str]()
        return tuple(name for name in TABLES if name not in others)

    @cached_property
    def manifest(self) -> manifest.Manifest:
        return manifest.read(self.folder)

    @cached_property
    def phases(self) -> dict[Phase, int]:
        """Phase → its first moment (monotonic ns)."""
        frame = self.phase_starts
        return dict(zip(frame["phase"].tolist(), frame["t_ns"].tolist(), strict=True))

    @cached_property
    def phase_starts(self) -> pd.DataFrame:
        """The table `phases`, each phase once: phase, t_ns, wall_ns. (`run.phases` is short for its times.)"""
        return self.frame("phases", "phase", "t_ns", "wall_ns").drop_duplicates("phase")

    @cached_property
    def t0_ns(self) -> int:
        """Zero of every time axis: the start of the steady state (of the run, where it never came so far)."""
        return self.phases.get("steady") or min(self.phases.values(), default=0)

    @cached_property
    def last_ns(self) -> int:
        """The last moment of the run, or the last that was written down of one that did not come to its end."""
        looks = pd.Series(dtype="int64") if "end" in self.phases else self.frame("processes", "t_ns")["t_ns"]
        return max([*self.phases.values(), *looks.tail(1)], default=0)

    def seconds(self, t_ns: pd.Series[Any]) -> pd.Series[float]:
        """Monotonic ns → seconds since `t0_ns`."""
        return (t_ns - self.t0_ns) / NS

    def has(self, table: str) -> bool:
        """Was this table recorded?"""
        return self._tables.columns(table) is not None

    def frame(self, table: str, *columns: str) -> pd.DataFrame:
        """A table, or only some of its columns, read anew: big tables are not kept.

        Raises:
            LabError: the file is damaged.
        """
        return self._tables.frame(table, columns or tuple(dtypes(table)))

    def chunks(self, table: str, *columns: str) -> Iterator[Chunk]:
        """Some columns of a table, so many rows at a time.

        Raises:
            LabError: the file is damaged.
        """
        return self._tables.chunks(table, tuple(dict.fromkeys(columns)))

    def coded(self, table: str, column: str) -> tuple[Ints, Sequence[Any]]:
        """A column of words, of which there may be a million: a number for each row, and the word of each number."""
        return self._tables.coded(table, column)

    def take(self, table: str, rows: Ints, *columns: str) -> pd.DataFrame:
        """Some columns of the rows with these numbers, in their order; the others are not kept in memory."""
        return self._tables.take(table, rows, columns)

    def offered(self, *columns: str) -> pd.DataFrame:
        """Columns of the sends that were handed to the producer: `sends` without what was due and never offered."""
        frame = self.frame("sends", *dict.fromkeys([*columns, "outcome"]))
        missed = (frame["outcome"] == NOT_OFFERED).to_numpy()
        return (frame[~missed].reset_index(drop=True) if missed.any() else frame)[list(columns)]

    def offered_times(self, column: str) -> Iterator[Ints]:
        """The same of one column of moments, by the chunk; none is empty."""
        for chunk in self.chunks("sends", column, "outcome"):
            missed = chunk.text("outcome").are(NOT_OFFERED)
            found = chunk[column][~missed] if missed.any() else chunk[column]
            if len(found):
                yield found

    def only(self, table: str, condition: pc.Expression) -> pd.DataFrame:
        """The rows of a table that fulfil a condition; the others are never held in memory."""
        return dense(table, self.rows(table, condition))

    def rows(self, table: str, condition: pc.Expression | None = None) -> pa.Table:
        """The rows of a table, or those that fulfil a condition, as they are stored: an Arrow table without any row
        where the table was not recorded."""
        return self._tables.rows(table, condition)

    def row_count(self, table: str) -> int:
        """Number of rows of a table, without reading it."""
        return self._tables.row_count(table)

    def missing(self) -> list[str]:
        """Tables and columns that a history of this run's schema version should have and has not."""
        version, lacks = self.manifest.schema_version, []
        for table in TABLES:
            there = self._tables.columns(table)
            absent = [] if there is None else [name for name in dtypes(table) if name not in there]
            lacks += [table] if there is None else [f"{table}.{name}" for name in absent]
        return [name for name in lacks if SINCE.get(name, 1) <= version]


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a small frame, one after the other, with the columns as attributes."""
    if frame.empty:
        return iter(())
    return map(_row_type(tuple(frame.columns))._make, zip(*(frame[name].tolist() for name in frame), strict=True))


@cache
def _row_type(columns: tuple[str, ...]) -> Any:
    """Kept, unlike that of `DataFrame.itertuples`: to make it costs more than to read a few rows."""
    return namedtuple("Row", columns)


def existing(path: Path | str) -> run_folders.RunFolder:
    """The folder of a saved run.

    Raises:
        UsageError: there is no run in it.
    """
    folder = run_folders.RunFolder(Path(path).resolve())
    if not (folder.raw / "scenario.json").exists():
        raise UsageError(f"{path} is not a run: it has no raw/scenario.json; see 'factorylab runs'")
    return folder
