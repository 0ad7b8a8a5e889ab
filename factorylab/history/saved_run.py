"""A saved run: its scenario, its manifest and its tables as frames, read only when asked for.

Rules: a table's columns are those of its row type in `history`, with dense types: an integer that is unknown
is −1, text is categorical, hashes are unsigned. An absent table is an empty frame here; the audit, which asks
`missing()`, never takes absence for "nothing happened". Only the columns asked for are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factorylab.core.clock import NS
from factorylab.core.errors import LabError, UsageError
from factorylab.core.vocabulary import Phase
from factorylab.history import manifest, run_folders
from factorylab.history.tables import SINCE, TABLES
from factorylab.scenarios.model import Scenario

UNKNOWN = -1
_NARROW = {"sensor": "int32", "partition": "int16", "payload_hash": "uint64", "hash_sum": "uint64"}
_DTYPES: dict[object, str] = {int: "int64", int | None: "int64", float: "float64", bool: "bool", list[int]: "object"}


@cache
def dtypes(table: str) -> Mapping[str, str]:
    """Column → dtype of a table's frame."""
    fields = msgspec.structs.fields(TABLES[table])
    return {f.encode_name: _NARROW.get(f.encode_name) or _DTYPES.get(f.type, "category") for f in fields}


class Run:
    """One saved run. `run.sends`, `run.lag`, … (every table of `history`) are frames, kept once read."""

    def __init__(self, folder: run_folders.RunFolder) -> None:
        self.folder = folder
        self._kept: dict[str, pd.DataFrame] = {}
        self._measured: dict[Measure, pd.DataFrame] = {}

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

    def once(self, measure: Measure) -> pd.DataFrame:
        """What `measure` makes of this run, made at the first call and kept."""
        if measure not in self._measured:
            self._measured[measure] = measure(self)
        return self._measured[measure]

    @cached_property
    def scenario(self) -> Scenario:
        return self.folder.scenario()

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

    def seconds(self, t_ns: pd.Series[Any]) -> pd.Series[float]:
        """Monotonic ns → seconds since `t0_ns`."""
        return (t_ns - self.t0_ns) / NS

    def path_of(self, table: str) -> Path:
        return self.folder.history / f"{table}.parquet"

    def frame(self, table: str, *columns: str) -> pd.DataFrame:
        """A table, or only some of its columns, read anew: big tables are not kept. One column after the other, so that
        no more than one is held both as it was stored and as it is here.

        Raises:
            LabError: the file is damaged.
        """
        kinds = dtypes(table)
        wanted = columns or tuple(kinds)
        if not self.path_of(table).exists():
            return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in wanted})
        file = _opened(self.path_of(table))
        there = [name for name in file.schema_arrow.names if name in wanted]
        found = {name: _dense(file.read(columns=[name]).column(0), kinds[name]) for name in there}
        return _frame(found, file.metadata.num_rows, wanted)

    def only(self, table: str, condition: pc.Expression) -> pd.DataFrame:
        """The rows of a table that fulfil a condition; the others are never held in memory."""
        if not self.path_of(table).exists():
            return self.frame(table)
        kinds = dtypes(table)
        rows = pq.read_table(self.path_of(table), filters=condition)
        found = {name: _dense(rows.column(name), kinds[name]) for name in rows.column_names if name in kinds}
        return _frame(found, rows.num_rows, tuple(kinds))

    def row_count(self, table: str) -> int:
        """Number of rows of a table, without reading it."""
        path = self.path_of(table)
        return _opened(path).metadata.num_rows if path.exists() else 0

    def missing(self) -> list[str]:
        """Tables and columns that a history of this run's schema version should have and has not."""
        version, lacks = self.manifest.schema_version, []
        for table in TABLES:
            if not self.path_of(table).exists():
                lacks.append(table)
                continue
            there = set(_opened(self.path_of(table)).schema_arrow.names)
            lacks += [f"{table}.{name}" for name in dtypes(table) if name not in there]
        return [name for name in lacks if SINCE.get(name, 1) <= version]


Measure = Callable[[Run], pd.DataFrame]


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise LabError(f"history/{path.name} cannot be read: {error}") from None


def _frame(found: dict[str, Any], rows: int, wanted: tuple[str, ...]) -> pd.DataFrame:
    """Columns in the wanted order; those that an older history lacks are unknown."""
    columns = {name: found[name] if name in found else np.full(rows, UNKNOWN) for name in wanted}
    return pd.DataFrame(columns, copy=False)


def _dense(column: pa.ChunkedArray, dtype: str) -> Any:
    """A Parquet column as one array of `dtype`; nulls of numbers become UNKNOWN.

    Raises:
        pyarrow.ArrowInvalid: a number does not fit into `dtype`.
    """
    if dtype == "category":
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        return coded.to_pandas().astype("category")
    if dtype == "object":
        return pd.Series(column.to_pylist(), dtype="object")
    whole = pc.fill_null(column, UNKNOWN) if column.null_count else column
    return whole.cast(dtype).to_numpy()


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a small frame, one after the other, with the columns as attributes."""
    yield from frame.itertuples(index=False)


def existing(path: Path | str) -> run_folders.RunFolder:
    """The folder of a saved run.

    Raises:
        UsageError: there is no run in it.
    """
    folder = run_folders.RunFolder(Path(path).resolve())
    if not (folder.raw / "scenario.json").exists():
        raise UsageError(f"{path} is not a run: it has no raw/scenario.json; see 'factorylab runs'")
    return folder
