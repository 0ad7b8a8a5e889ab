"""From the records of a poll to rows of the table `readings`, whatever partitions and order they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from confluent_kafka import Message

from factorylab.factory.processor.intake import POISON_STAGE, Bad, Intake, Records, by_kind, columns, take_in
from factorylab.factory.processor.owned_partition import kind_of, table_columns
from factorylab.factory.share.share_journal import place_of
from factorylab.factory.store.copy_binary import Columns

Register = Callable[[Iterable[tuple[str, str, str]]], dict[str, int]]


@dataclass(frozen=True)
class Batch:
    """Rows to store, in groups of columns, and the records that cannot be."""

    readings: Sequence[Columns]
    bad: Sequence[Bad]


class LastDelivery(ValueError):
    """A record that would be archived if this delivery failed, too."""


class Preparation:
    """Keeps the store's ids of the sensors that it has seen. A record that is delivered for the `set_aside_at`-th time
    is not tried any more; 0: each is."""

    def __init__(self, register: Register, set_aside_at: int) -> None:
        self._register, self._set_aside_at = register, set_aside_at
        self._ids: dict[str, int] = {}

    def batch(self, messages: Sequence[Message]) -> Batch:
        """Decode and check records, and lay them out as rows. Raises what `register` raises."""
        groups: list[Columns] = []
        bad = [self._given_up(message) for message in messages if self._is_last(message)]
        for records in shares([message for message in messages if not self._is_last(message)]):
            taken = take_in(records)
            self._learn(taken)
            groups += self._groups(records, taken)
            bad += taken.bad
        return Batch(groups, bad)

    def _is_last(self, message: Message) -> bool:
        return 0 < self._set_aside_at <= (message.delivery_count() or 0)

    def _given_up(self, message: Message) -> Bad:
        error = LastDelivery(f"delivered {message.delivery_count()} times, and acknowledged by nobody")
        return Bad(0, *place_of(message), message.key(), message.value(), error, POISON_STAGE)

    def _learn(self, taken: Intake) -> None:
        unknown = {r.sensor_id: r for r in taken.readings if r.sensor_id not in self._ids}
        if unknown:
            self._ids |= self._register((name, kind_of(r), r.location) for name, r in unknown.items())

    def _groups(self, records: Records, taken: Intake) -> Iterator[Columns]:
        for kind, rows in by_kind(taken.readings).items():
            readings = [taken.readings[row] for row in rows]
            origin: Columns = {
                "sensor_id": np.array([self._ids[r.sensor_id] for r in readings], np.int32),
                "seq": np.array([r.seq for r in readings], np.int64),
                "record_offset": records.offsets[taken.at[rows]],
            }
            yield table_columns(records.partition, taken.recorded_us[rows], origin, columns(kind, readings))


def shares(messages: Sequence[Message]) -> Iterator[Records]:
    """The records of each partition in the order of their offsets."""
    ordered = sorted(messages, key=lambda message: (message.partition(), message.offset()))
    for partition, of_one in groupby(ordered, key=lambda message: message.partition()):
        share = list(of_one)
        offsets = np.array([message.offset() for message in share], np.int64)
        yield Records(partition, offsets, [m.key() for m in share], [m.value() for m in share])
