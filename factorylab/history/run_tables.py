"""The tables of a run as arrays of dense types: an integer that is unknown is −1, text is categorical, hashes are
unsigned. Either from the Parquet files of a run folder, or from frames in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factorylab.core import scratch
from factorylab.core.errors import LabError
from factorylab.history.export import schema
from factorylab.history.run_folders import RunFolder
from factorylab.history.table_chunks import UNKNOWN, Chunk, Ints, of_arrow, of_frame
from factorylab.history.tables import TABLES

_NARROW = {
    "sensor": "int32",
    "partition": "int16",
    "payload_hash": "uint64",
    "hash_sum": "uint64",
    "measures_hash": "uint64",
}
_DTYPES: dict[object, str] = {
    int: "int64", int | None: "int64", float: "float64", float | None: "float64", bool: "bool", list[int]: "object"
}  # fmt: skip


@cache
def dtypes(table: str) -> Mapping[str, str]:
    """Column → dtype of a table's frame."""
    fields = msgspec.structs.fields(TABLES[table])
    return {f.encode_name: _NARROW.get(f.encode_name) or _DTYPES.get(f.type, "category") for f in fields}


class Tables(Protocol):
    """Where a run's tables come from. A table that was not recorded has no columns (None) and no rows."""

    def columns(self, table: str) -> list[str] | None: ...
    def row_count(self, table: str) -> int: ...
    def frame(self, table: str, wanted: tuple[str, ...]) -> pd.DataFrame: ...
    def rows(self, table: str, condition: pc.Expression | None) -> pa.Table:
        """As they are stored; without a condition all of them."""

    def chunks(self, table: str, wanted: tuple[str, ...]) -> Iterator[Chunk]: ...
    def take(self, table: str, rows: Ints, wanted: tuple[str, ...]) -> pd.DataFrame: ...
    def coded(self, table: str, column: str) -> tuple[Ints, Sequence[Any]]: ...


class StoredTables:
    """One Parquet file a table, of which nothing is kept in memory.

    Every method raises LabError where a file is damaged.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def _path(self, table: str) -> Path:
        return self._folder.table(table)

    def columns(self, table: str) -> list[str] | None:
        path = self._path(table)
        return list(_opened(path).schema_arrow.names) if path.exists() else None

    def row_count(self, table: str) -> int:
        path = self._path(table)
        return _opened(path).metadata.num_rows if path.exists() else 0

    def frame(self, table: str, wanted: tuple[str, ...]) -> pd.DataFrame:
        """One column after the other, so that no more than one is held both as it was stored and as it is here."""
        if not self._path(table).exists():
            return empty(table, wanted)
        file, kinds = _opened(self._path(table)), dtypes(table)
        there = [name for name in file.schema_arrow.names if name in wanted]
        found = {name: _dense(file.read(columns=[name]).column(0), kinds[name]) for name in there}
        return _frame(table, found, file.metadata.num_rows, wanted)

    def rows(self, table: str, condition: pc.Expression | None) -> pa.Table:
        path = self._path(table)
        return pq.read_table(path, filters=condition) if path.exists() else schema(table).empty_table()

    def chunks(self, table: str, wanted: tuple[str, ...]) -> Iterator[Chunk]:
        if not self._path(table).exists():
            return
        file, kinds, start = _opened(self._path(table)), dtypes(table), 0
        there = [name for name in wanted if name in file.schema_arrow.names]
        for batch in file.iter_batches(scratch.CHUNK, columns=there, use_threads=False):
            found = {name: of_arrow(batch.column(name), kinds[name]) for name in there}
            lacking = {name: unknown(len(batch), kinds[name]) for name in wanted if name not in there}
            yield Chunk(start, len(batch), found | lacking)
            start += len(batch)
            scratch.done()

    def coded(self, table: str, column: str) -> tuple[Ints, Sequence[Any]]:
        if not self.row_count(table):
            return np.empty(0, "int32"), ()
        words = _opened(self._path(table)).read(columns=[column], use_threads=False).column(0)
        found = words.unify_dictionaries().combine_chunks()
        del words
        pa.default_memory_pool().release_unused()
        return found.indices.to_numpy(zero_copy_only=False), found.dictionary

    def take(self, table: str, rows: Ints, wanted: tuple[str, ...]) -> pd.DataFrame:
        """Only the row groups that hold one of the rows are read, one after the other."""
        if not len(rows):
            return empty(table, wanted)
        file = _opened(self._path(table))
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        starts, order = np.cumsum([0, *sizes]), np.argsort(rows, kind="stable")
        group = np.searchsorted(starts, rows[order], side="right") - 1
        parts = []
        for number in np.unique(group):
            read = file.read_row_group(int(number), list(wanted), use_threads=False)
            parts.append(read.take(pa.array(rows[order][group == number] - starts[number])))
        found = dense(table, pa.concat_tables(parts, promote_options="permissive"))[list(wanted)]
        return found.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


class FrameTables:
    """Frames in memory, taken as if they had been stored and read again; each column is cast when first asked for.

    `frame` raises ValueError where a number does not fit into its dtype.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        self._given = {table: frame.copy(deep=False) for table, frame in frames.items()}
        self._columns: dict[tuple[str, str], Any] = {}
        self._frames: dict[tuple[str, tuple[str, ...]], pd.DataFrame] = {}

    def columns(self, table: str) -> list[str] | None:
        """What may be unknown can be left out of a frame; what else is not in it was not recorded."""
        if table not in self._given:
            return None
        return [name for name in dtypes(table) if name in self._given[table] or name in _may_be_unknown(table)]

    def row_count(self, table: str) -> int:
        return len(self._given[table]) if table in self._given else 0

    def frame(self, table: str, wanted: tuple[str, ...]) -> pd.DataFrame:
        """A shallow copy each time: to make a frame costs more than to read one of a few hundred rows."""
        if not self.row_count(table):
            return empty(table, wanted)
        if (table, wanted) not in self._frames:
            found = {name: self._column(table, name) for name in wanted if name in self._given[table]}
            self._frames[table, wanted] = _frame(table, found, self.row_count(table), wanted)
        return self._frames[table, wanted].copy(deep=False)

    def _column(self, table: str, name: str) -> Any:
        if (table, name) not in self._columns:
            self._columns[table, name] = _cast(self._given[table][name], dtypes(table)[name])
        return self._columns[table, name]

    def rows(self, table: str, condition: pc.Expression | None) -> pa.Table:
        whole = stored(table, self._given[table]) if self.row_count(table) else schema(table).empty_table()
        return whole if condition is None else whole.filter(condition)

    def chunks(self, table: str, wanted: tuple[str, ...]) -> Iterator[Chunk]:
        given = self._given[table] if self.row_count(table) else ()
        there = {name: self._column(table, name) for name in wanted if name in given}
        for part in scratch.chunks(self.row_count(table)):
            count = part.stop - part.start
            found = {name: of_frame(values, part) for name, values in there.items()}
            lacking = {name: unknown(count, dtypes(table)[name]) for name in wanted if name not in there}
            yield Chunk(part.start, count, found | lacking)

    def coded(self, table: str, column: str) -> tuple[Ints, Sequence[Any]]:
        words = self._column(table, column) if self.row_count(table) else pd.Categorical([])
        return words.codes, words.categories.tolist()

    def take(self, table: str, rows: Ints, wanted: tuple[str, ...]) -> pd.DataFrame:
        return self.frame(table, wanted).iloc[rows].reset_index(drop=True)


def _cast(column: pd.Series[Any], dtype: str) -> Any:
    """What reading the column as it would have been stored gives, without the way over Arrow. Numbers are read-only:
    several frames share them.

    Raises:
        ValueError: a number does not fit into its dtype.
    """
    if dtype == "object":
        return column.array
    if dtype == "category":
        codes, words = pd.factorize(column.to_numpy(dtype=object))
        return pd.Categorical.from_codes(codes, pd.Index(words, dtype="str"))
    values = column.to_numpy()
    dense = values.astype(dtype, copy=False).view()
    if dtype not in ("float64", values.dtype) and (dense != values).any():
        raise ValueError(f"{column.name}: a number does not fit into {dtype}")
    dense.flags.writeable = False
    return dense


def stored(table: str, frame: pd.DataFrame) -> pa.Table:
    """A frame as the history stores it: nulls for −1 where a column may be unknown, dictionaries for text. A column
    that may be unknown can be left out."""
    columns = {}
    for name, dtype in dtypes(table).items():
        optional = name in _may_be_unknown(table)
        values = [UNKNOWN] * len(frame) if optional and name not in frame else frame[name]
        if dtype == "category":
            text = pa.Array.from_pandas(pd.Series(values, dtype="str"), type=pa.string())
            columns[name] = text.dictionary_encode()
        elif dtype == "object":
            columns[name] = pa.array(list(values), pa.list_(pa.int16()))
        else:
            data = np.asarray(values, dtype=dtype)
            columns[name] = pa.array(data, mask=data == UNKNOWN if optional else None)
    return pa.table(columns).cast(schema(table))


@cache
def _may_be_unknown(table: str) -> frozenset[str]:
    unknown = (int | None, float | None)
    return frozenset(f.encode_name for f in msgspec.structs.fields(TABLES[table]) if f.type in unknown)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise LabError(f"history/{path.name} cannot be read: {error}") from None


def empty(table: str, wanted: tuple[str, ...] = ()) -> pd.DataFrame:
    """No rows, with all columns or those that are wanted."""
    return _empty(table, wanted).copy(deep=False)


@cache
def _empty(table: str, wanted: tuple[str, ...]) -> pd.DataFrame:
    kinds = dtypes(table)
    return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in wanted or kinds})


def dense(table: str, rows: pa.Table) -> pd.DataFrame:
    """Rows as they are stored, as a frame."""
    kinds = dtypes(table)
    found = {name: _dense(rows.column(name), kinds[name]) for name in rows.column_names if name in kinds}
    return _frame(table, found, rows.num_rows, tuple(kinds))


def _frame(table: str, found: dict[str, Any], rows: int, wanted: tuple[str, ...]) -> pd.DataFrame:
    """Columns in the wanted order; those that an older history lacks are unknown."""
    lacking = {name: unknown(rows, dtypes(table)[name]) for name in wanted if name not in found}
    return pd.DataFrame({name: (found | lacking)[name] for name in wanted}, copy=False)


def unknown(rows: int, dtype: str) -> Ints:
    """A column that was not recorded."""
    return np.full(rows, UNKNOWN).astype(dtype if dtype in {"float64", "uint64"} else "int64")


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
