"""Runs of any size, from a smaller one: each reading becomes `times` readings of its sensor, one after the other.

The large tables are written piece by piece, so that 100 million readings need little memory. What follows from a
reading follows for each of its copies: places, times, hashes, alerts. What counts or points to readings is scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factorylab.core.clock import NS
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from factorylab.history.table_chunks import UNKNOWN, Ints
from tests.support.histories import BATCH, FINAL_READ_TABLES, HASH_OF_ONE

OF_READINGS = ("sends", "log", "rows", "alerts")
PIECE = 2_000_000  # rows that are held at once
Column = Callable[[Ints, Ints], Ints]
ENDS = {"from_offset", "to_offset", "next_offset", "start", "end", "committed", "first_offset"}
COUNTS = {"rows", "alerts", "count", "rate_per_s"}


def multiplied(run: RunFolder, folder: Path, times: int) -> RunFolder:
    """A sealed run below `folder` with `times` as many readings in the same time."""
    scenario = run.scenario()
    apart_ns = round(NS / scenario.workload.rate_per_s)
    load = scenario.workload.model_copy(update={"rate_per_s": scenario.workload.rate_per_s * times})
    made = run_folders.create(folder, scenario.model_copy(update={"workload": load}))
    for path in sorted(run.history.glob("*.parquet")):
        name, source = path.stem, pq.ParquetFile(path)
        if name == "cross_reads":  # a longer log has its samples elsewhere
            pieces = iter([source.schema_arrow.empty_table()])
        else:
            pieces = _readings(source, times, apart_ns) if name in OF_READINGS else _scaled(source, times, apart_ns)
        size = BATCH if name in FINAL_READ_TABLES else None
        with pq.ParquetWriter(made.table(name), source.schema_arrow, compression="zstd") as writer:
            for piece in pieces:
                writer.write_table(piece, row_group_size=size)
    manifest = (run.raw / "manifest.json").read_text()
    (made.raw / "manifest.json").write_text(manifest.replace(run.run_id, made.run_id))
    run_folders.seal(made)
    return made


def _readings(source: pq.ParquetFile, times: int, apart_ns: int) -> Iterator[pa.Table]:
    """The rows of a table of readings, `times` for each, which share the time until the next reading of the old run."""
    changes: dict[str, Column] = dict.fromkeys(("seq", "offset"), lambda old, copy: old * times + copy)
    changes |= dict.fromkeys(("t_intended_ns", "t_ack_ns"), lambda old, copy: old + copy * apart_ns // times)
    changes |= dict.fromkeys(("payload_hash", "measures_hash"), lambda old, copy: _hash(old, copy, times))
    if "t_intended_ns" in source.schema_arrow.names:  # elsewhere t_ns is the writer's
        changes["t_ns"] = changes["t_intended_ns"]
    for batch in source.iter_batches(max(PIECE // times, 1)):
        row = np.repeat(np.arange(batch.num_rows), times)
        piece, copy = pa.Table.from_batches([batch]).take(row), np.tile(np.arange(times), batch.num_rows)
        for name in [name for name in piece.column_names if name in changes]:
            piece = _with(piece, name, changes[name](piece.column(name).to_numpy(), copy))
        yield _with(piece, "alert_id", _ids(piece)) if "alert_id" in piece.column_names else piece


def _hash(old: Ints, copy: Ints, times: int) -> Ints:
    found: Ints = (old - HASH_OF_ONE) * np.uint64(times) + (copy.astype(np.uint64) + np.uint64(1)) * HASH_OF_ONE
    return found


def _ids(alerts: pa.Table) -> pa.Array:
    sensor, seq = (pc.cast(alerts.column(name), pa.string()) for name in ("sensor", "seq"))
    rule = alerts.column("rule").cast(pa.string())
    return pc.binary_join_element_wise(pc.binary_join_element_wise("sensor-", sensor, ""), seq, rule, ":")


def _scaled(source: pq.ParquetFile, times: int, apart_ns: int) -> Iterator[pa.Table]:
    """The rows of another table, once each, with what points to readings and counts them. A poll comes after the last
    copy of what it brings."""
    old = piece = source.read()
    for name in piece.column_names:
        values = old.column(name).to_numpy() if name in {*ENDS, *COUNTS, "last_offset", "hash_sum"} else np.empty(0)
        if name in {*ENDS, *COUNTS}:
            piece = _with(piece, name, np.where(values == UNKNOWN, values, values * times))
        elif name == "last_offset":
            piece = _with(piece, name, values * times + times - 1)
        elif name == "hash_sum":
            piece = _with(piece, "t_ns", old.column("t_ns").to_numpy() + apart_ns)
            piece = _with(piece, name, _sum(values, old.column("count").to_numpy().astype(np.uint64), np.uint64(times)))
    yield piece


def _sum(old: Ints, count: Ints, times: np.uint64) -> Ints:
    """Sum of the hashes of all copies of `count` readings, whose own is `old`; modulo 2^64."""
    copies = np.uint64(int(times) * (int(times) + 1) // 2)
    found: Ints = times * times * (old - count * HASH_OF_ONE) + count * copies * HASH_OF_ONE
    return found


def _with(table: pa.Table, name: str, values: Ints | pa.Array) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, table.schema.field(at), pa.array(values).cast(table.schema.field(at).type))
