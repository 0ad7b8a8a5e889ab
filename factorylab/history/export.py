"""From journals to Parquet: at the end of a run all journals become one file a table, `history/<table>.parquet`.

Rules:
- Columns and their names are those of the row types in `history`; text is dictionary-coded; what is unknown is null.
- An answer belongs to the send with the same payload hash. A send without an answer, or with an answer that is no
  acknowledgement, is `unknown`; only what produce() refused on the spot is `shed` (its queue was full) or `fail`, and
  only what its fleet says that it never offered is `not_offered`.
- Nothing is repaired. What cannot be read, or does not fit together, is reported and left out.
- Rows of another boot have another zero of time: they are refused.
- Files that the final read has written already (`log`, `rows`) are left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from factorylab.core.vocabulary import Outcome
from factorylab.history.journal import ACK, REFUSED, SEND, acks_path, read_journal, read_pieces, read_rows, sends_path
from factorylab.history.tables import TABLES, Row, Worker

QUEUE_FULL = -184  # librdkafka's RD_KAFKA_RESP_ERR__QUEUE_FULL
OUTCOMES = list(get_args(Outcome))
OK, FAIL, UNKNOWN, SHED, NOT_OFFERED = range(5)
TEXT = pa.dictionary(pa.int32(), pa.string())
FINAL_READ = {"log", "rows"}  # never empty by default: where the final read wrote none, the evidence is missing
NARROW = {
    "sensor": pa.int32(),
    "partition": pa.int16(),
    "payload_hash": pa.uint64(),
    "hash_sum": pa.uint64(),
    "measures_hash": pa.uint64(),
}
WIDE: Mapping[object, pa.DataType] = {
    int: pa.int64(),
    int | None: pa.int64(),
    float: pa.float64(),
    float | None: pa.float64(),
    bool: pa.bool_(),
    list[int]: pa.list_(pa.int16()),
}


@cache
def schema(table: str) -> pa.Schema:
    """Arrow types of a table's columns."""
    fields = msgspec.structs.fields(TABLES[table])
    return pa.schema([(f.name, NARROW.get(f.name) or WIDE.get(f.type, TEXT)) for f in fields])


def export_journals(journals: Path, history: Path) -> list[str]:
    """Turn all journals of a run into Parquet.

    Returns:
        What is wrong with the journals, one sentence each; empty when all of it could be read.
    """
    problems: list[str] = []
    rows = _read_all(journals, problems)
    tables: dict[str, list[Row]] = defaultdict(list)
    for row in (row for rows_of in rows.values() for row in rows_of):
        tables[str(row.__struct_config__.tag)].append(row)
    for name in TABLES:
        path = history / f"{name}.parquet"
        if name != "sends" and not path.exists() and (tables[name] or name not in FINAL_READ):
            write_rows(path, name, tables[name])
    _write_sends(journals, history / "sends.parquet", rows, problems)
    return problems


def _read_all(journals: Path, problems: list[str]) -> dict[str, list[Row]]:
    """The rows of each worker's journal; journals that cannot be used are reported and left out."""
    found: dict[str, list[Row]] = {}
    for path in sorted(journals.glob("*.jsonl")):
        try:
            rows = read_journal(journals, path.stem)
        except (ValueError, OSError) as error:
            problems.append(f"journal {path.name}: {error}")
            continue
        if not rows or not isinstance(rows[0], Worker):
            problems.append(f"journal {path.name} does not begin with its worker: it was cut, or nothing was written")
            continue
        found[path.stem] = rows
    if not found:
        problems.append(f"there is no journal that can be read in {journals.name}/")
    return _of_one_boot(found, problems)


def _of_one_boot(found: dict[str, list[Row]], problems: list[str]) -> dict[str, list[Row]]:
    boots = {worker: {row.boot_id for row in rows if isinstance(row, Worker)} for worker, rows in found.items()}
    ours = next(iter(boots.get("runner") or next(iter(boots.values()), set())), "")
    for worker, others in boots.items():
        if others != {ours}:
            problems.append(f"journal of {worker}: from another boot of the machine, its times cannot be compared")
    return {worker: rows for worker, rows in found.items() if boots[worker] == {ours}}


def write_rows(path: Path, table: str, rows: Sequence[Row]) -> None:
    """Write history rows of one table as Parquet; no rows make an empty table with all columns."""
    kinds = schema(table)
    columns = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in kinds]
    pq.write_table(pa.Table.from_arrays(columns, schema=kinds), path, compression="zstd")


def _write_sends(journals: Path, path: Path, rows: Mapping[str, Sequence[Row]], problems: list[str]) -> None:
    fleets = {row.worker for of in rows.values() for row in of if isinstance(row, Worker) and row.role == "fleet"}
    strangers = {file.name.rsplit(".", 2)[0] for file in journals.glob("*.bin")} - fleets
    problems += [f"{worker} sent readings, but its journal of rows is missing" for worker in sorted(strangers)]
    with pq.ParquetWriter(path, schema("sends"), compression="zstd") as writer:
        for worker in sorted(fleets):
            try:
                for part in _joined(journals, worker, problems):
                    writer.write_table(part)
            except (ValueError, OSError) as error:
                problems.append(f"sends of {worker}: {error}")


def _joined(journals: Path, worker: str, problems: list[str]) -> Iterator[pa.Table]:
    """A fleet's sends with their answers, piece by piece."""
    acks = read_rows(acks_path(journals, worker), ACK)
    acks = acks[np.argsort(np.ascontiguousarray(acks["hash"]))]
    answered_hashes = np.ascontiguousarray(acks["hash"])
    matched, hashes = 0, []
    for sends in read_pieces(sends_path(journals, worker), SEND):
        at = _find(answered_hashes, sends["hash"])
        matched += int(np.count_nonzero(at >= 0))
        hashes.append(np.ascontiguousarray(sends["hash"][sends["not_offered"] == 0]))
        yield _sends_table(worker, sends, acks, at)
    if repeated := _repeated(answered_hashes):
        problems.append(f"sends of {worker}: {repeated} readings were answered more than once")
    if repeated := _repeated(np.sort(np.concatenate(hashes or [np.empty(0, np.uint64)]))):
        problems.append(f"sends of {worker}: {repeated} payloads are not unique, their answers cannot be told apart")
    elif matched < len(acks):
        problems.append(
            f"sends of {worker}: {len(acks) - matched} answers without a send: the journal of sends was cut"
        )


def _repeated(in_order: NDArray[np.uint64]) -> int:
    return int(np.count_nonzero(in_order[1:] == in_order[:-1]))


def _find(in_order: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where each wanted hash is in `in_order`; −1 where it is not. Searching in order is ten times faster."""
    order = np.argsort(wanted)
    needles = wanted[order]
    at = np.searchsorted(in_order, needles)
    found = np.zeros(len(needles), bool)
    inside = at < len(in_order)
    found[inside] = in_order[at[inside]] == needles[inside]
    result = np.empty(len(wanted), np.int64)
    result[order] = np.where(found, at, -1)
    return result


def _sends_table(worker: str, sends: NDArray[np.void], acks: NDArray[np.void], at: NDArray[np.int64]) -> pa.Table:
    """The rows of some sends; `at` is where in `acks` the answer of each is, −1 for none."""
    there = at >= 0
    answer = np.zeros(len(sends), ACK)
    answer[there] = acks[at[there]]
    refused, error = there & (answer["partition"] == REFUSED), answer["error"]
    ok = there & ~refused & (error == 0)
    kinds = {NOT_OFFERED: sends["not_offered"] != 0, OK: ok, SHED: refused & (error == QUEUE_FULL), FAIL: refused}
    outcome = np.select(list(kinds.values()), list(kinds), UNKNOWN)
    columns = {
        "worker": pa.DictionaryArray.from_arrays(np.zeros(len(sends), np.int32), [worker]),
        "t_ns": sends["t_ns"],
        "sensor": sends["sensor"],
        "seq": sends["seq"],
        "t_intended_ns": sends["t_intended_ns"],
        "t_ack_ns": pa.array(answer["t_ns"], mask=~ok),
        "partition": pa.array(answer["partition"].astype(np.int16), mask=~ok),
        "offset": pa.array(answer["offset"], mask=~ok | (answer["offset"] < 0)),
        "outcome": pa.DictionaryArray.from_arrays(outcome.astype(np.int32), OUTCOMES),
        "error": _error_names(error),
        "payload_hash": sends["hash"],
    }
    return pa.table(columns, schema=schema("sends"))


def _error_names(codes: NDArray[np.int32]) -> pa.DictionaryArray:
    """Kafka's names of error codes; 0 is null."""
    from confluent_kafka import KafkaError  # not when the module is loaded: reading a saved run needs no Kafka

    known, at = np.unique(codes, return_inverse=True)
    names = [KafkaError(int(code)).name() for code in known]
    return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32), mask=codes == 0), names)
