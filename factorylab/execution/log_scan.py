"""The final read of the log: a fresh consumer reads every partition from its start to the end that was frozen.

Offsets come from this scan, not from acks: joined on acks, the slowest records (unknown but written) would fall out.
A name that no fleet announced gets the sensor index −1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, Message, TopicPartition

from factorylab.cluster.librdkafka import client_config
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import WaitTimeout
from factorylab.core.messages import payload_hash
from factorylab.core.templates import Template
from factorylab.execution.measures_hash import (
    NO_TIME,
    NOTHING,
    AnyMeasures,
    columns_of,
    main_measure,
    measures_hashes,
    stamp_us,
)
from factorylab.factory.client_errors import sorted_out
from factorylab.history.export import schema

Spans = Mapping[int, tuple[int, int]]  # partition → (first offset, end)
WORKER = "final-read"
IDLE_S = 30  # without a record for so long, a partition that should have more is given up
BATCH = 20_000

LOG_SCHEMA = schema("log")


class ReadingIdentity(msgspec.Struct, frozen=True, gc=False):
    """The part of a payload that says which reading it is, and what is looked into later."""

    sensor_id: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    readings: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True)
class Seen:
    """What a payload says: sensor (index) and seq are −1 where it names none of ours; `stamp_us` is its time."""

    sensor: int
    seq: int
    stamp_us: int = NO_TIME
    measures: AnyMeasures = NOTHING


_identity = msgspec.json.Decoder(ReadingIdentity)
_measures = msgspec.json.Decoder(AnyMeasures)


def identify(payload: bytes, sensors: Mapping[str, int]) -> tuple[int, int]:
    """(sensor index, seq) of a payload; −1 where it names none of ours."""
    seen = look_into(payload, sensors)
    return seen.sensor, seen.seq


def look_into(payload: bytes, sensors: Mapping[str, int]) -> Seen:
    """What a payload says of a reading; measures that cannot be read are absent."""
    try:
        who = _identity.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Seen(-1, -1)
    try:
        measures = _measures.decode(who.readings)
    except (msgspec.DecodeError, UnicodeDecodeError):
        measures = NOTHING
    return Seen(sensors.get(who.sensor_id, -1), who.seq, stamp_us(who.timestamp), measures)


def look_for(template: Template, payload: bytes, sensors: Mapping[str, int]) -> Seen:
    """What a payload that was filled from a template says: which reading it is, and no more."""
    found = template.find(payload)
    return Seen(sensors.get(found.sensor, -1), found.seq) if found else Seen(-1, -1)


@dataclass
class OffsetSpan:
    """Offsets of some records, the first and the last, and how many they are."""

    first: int
    last: int
    count: int = 0


Epochs = dict[tuple[int, int], OffsetSpan]
"""By partition and leader epoch: the records that were written in it and are in the log."""


def read_log(
    bootstrap: str,
    topic: str,
    spans: Spans,
    sensors: Mapping[str, int],
    out: Path,
    *,
    see: Callable[[list[Message]], None],
    record: str | None = None,
) -> Epochs:
    """Read the records of `spans` into the Parquet file `out`, piece by piece, and show them to `see`; where each
    leader epoch lies. `record` is the template that they were filled from; None: JSON. What cannot be read is missing
    there: the audit compares what was read with `spans`."""
    epochs: Epochs = {}
    look = look_into if record is None else partial(look_for, Template(record))
    with suppress(WaitTimeout), pq.ParquetWriter(out, LOG_SCHEMA, compression="zstd") as writer:
        for batch in read_topic(bootstrap, topic, spans):
            writer.write_table(log_table(batch, sensors, look))
            note_epochs(epochs, batch)
            see(batch)
    return epochs


def note_epochs(epochs: Epochs, batch: Iterable[Message]) -> None:
    """Add records to the spans of their leader epochs; −1 where the broker named none."""
    for message in batch:
        partition, epoch, offset = message.partition(), message.leader_epoch(), message.offset()
        assert partition is not None and offset is not None  # those `within` a span have both
        span = epochs.setdefault((partition, -1 if epoch is None else epoch), OffsetSpan(offset, offset))
        span.first, span.last, span.count = min(span.first, offset), max(span.last, offset), span.count + 1


def log_table(
    batch: list[Message], sensors: Mapping[str, int], look: Callable[[bytes, Mapping[str, int]], Seen] = look_into
) -> pa.Table:
    """The rows of one batch, as `look` sees them."""
    payloads = [payload(message) for message in batch]
    seen = [look(one, sensors) for one in payloads]
    values, there = columns_of([one.measures for one in seen])
    columns = [
        pa.DictionaryArray.from_arrays(pa.array([0] * len(batch), pa.int32()), [WORKER]),
        pa.array([now_ns()] * len(batch), pa.int64()),
        pa.array([m.partition() for m in batch], pa.int16()),
        pa.array([m.offset() for m in batch], pa.int64()),
        pa.array([one.sensor for one in seen], pa.int32()),
        pa.array([one.seq for one in seen], pa.int64()),
        pa.array([payload_hash(one) for one in payloads], pa.uint64()),
        pa.array(main_measure(values), pa.float64()),
        pa.array(measures_hashes(np.array([one.stamp_us for one in seen]), values, there), pa.uint64()),
    ]
    return pa.Table.from_arrays(columns, schema=LOG_SCHEMA)


def payload(message: Message) -> bytes:
    """The value of a record; a tombstone counts as empty."""
    return as_bytes(message.value())


def as_bytes(value: str | bytes | None) -> bytes:
    """What the client may hand out as text, as the bytes that it was."""
    return value.encode() if isinstance(value, str) else value or b""


def header_pairs(message: Message) -> list[tuple[str, str | bytes | None]]:
    """The client hands headers out as pairs, whatever its type hints allow for sending."""
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def within(message: Message, spans: Spans) -> bool:
    """A record proper, before the frozen end."""
    partition, offset = message.partition(), message.offset()
    return message.error() is None and partition is not None and offset is not None and offset < spans[partition][1]


def read_topic(bootstrap: str, topic: str, spans: Spans, *, committed: bool = False) -> Iterator[list[Message]]:
    """Batches of all records with start ≤ offset < end of each partition, by a fresh consumer outside any group.
    `committed`: without those of transactions that were aborted, or are open.

    Raises:
        ClientDead: the consumer is.
        WaitTimeout: some of them cannot be read: nothing came for IDLE_S.
    """
    left = {p: end for p, (start, end) in spans.items() if end > start}
    next_offset = {p: spans[p][0] for p in left}
    consumer = Consumer(
        {
            **client_config(bootstrap, "factorylab-final-read"),
            "group.id": f"{topic}-final-read",  # demanded by the client, never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "fetch.queue.backoff.ms": 10,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
        }
    )
    try:
        consumer.assign([TopicPartition(topic, p, spans[p][0]) for p in left])
        idle_since_ns = now_ns()
        why = "the leader of none of them answers"
        while left:
            if now_ns() - idle_since_ns >= IDLE_S * NS:
                names = ", ".join(f"{partition} (to offset {end})" for partition, end in sorted(left.items()))
                raise WaitTimeout(
                    f"{topic} cannot be read as a whole, nothing came from partition {names} for {IDLE_S:g} s: {why};"
                    " 'factorylab status' and 'factorylab heal' show and repair what is broken"
                )
            missing = sum(end - next_offset[p] for p, end in left.items())  # to ask for more is to wait for nothing
            records, errors = sorted_out(consumer.consume(min(BATCH, missing), 0.5))
            why = errors[-1][0].str() if errors else why
            batch = [message for message in records if within(message, spans)]
            if batch:
                idle_since_ns = now_ns()
                yield batch
            for at in consumer.position([TopicPartition(topic, p) for p in left]):
                next_offset[at.partition] = max(next_offset[at.partition], at.offset)
                if at.offset >= left[at.partition]:
                    del left[at.partition]
    finally:
        consumer.close()
