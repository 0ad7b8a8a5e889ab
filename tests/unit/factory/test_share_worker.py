"""A worker of a share group: how records become rows, which are set aside, and what its journal pairs up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from psycopg2 import DataError

from factorylab.core.vocabulary import AckKind
from factorylab.execution.controls.hasty_worker import Hasty
from factorylab.factory.share.batch import Batch, Preparation, shares
from factorylab.factory.share.share_journal import ShareJournal
from factorylab.factory.share.worker import Worker
from factorylab.history.journal import read_journal
from factorylab.history.tables import Acknowledgement, Acquisition
from tests.support.wire import wire


class Record(NamedTuple):
    """What a worker looks at of a message."""

    at: tuple[int, int]
    pair: tuple[bytes | None, bytes | None]
    deliveries: int = 1

    def partition(self) -> int:
        return self.at[0]

    def offset(self) -> int:
        return self.at[1]

    def key(self) -> bytes | None:
        return self.pair[0]

    def value(self) -> bytes | None:
        return self.pair[1]

    def delivery_count(self) -> int:
        return self.deliveries


def registered(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    return {name: 7 for name, _, _ in sensors}


def prepared(*records: Record, set_aside_at: int = 5) -> Any:
    return Preparation(registered, set_aside_at).batch(records)  # type: ignore[arg-type]


def test_records_of_any_order_become_rows_of_their_places() -> None:
    """Each row has the partition and offset of its record, and the store's id of its sensor."""
    batch = prepared(Record((1, 9), wire(seq=3)), Record((0, 4), wire(seq=1)), Record((1, 2), wire(seq=2)))
    rows = [
        (int(p), int(o), int(s), int(i))
        for group in batch.readings
        for p, o, s, i in zip(group["partition"], group["record_offset"], group["seq"], group["sensor_id"], strict=True)
    ]
    assert rows == [(0, 4, 1, 7), (1, 2, 2, 7), (1, 9, 3, 7)] and not batch.bad


def test_a_bad_record_is_no_row() -> None:
    """It is named with its place, and the others of its poll are stored."""
    batch = prepared(Record((0, 4), wire(seq=1)), Record((0, 5), (b"s-1", b"{")))
    assert [(one.partition, one.offset) for one in batch.bad] == [(0, 5)]
    assert [len(group["seq"]) for group in batch.readings] == [1]


@pytest.mark.parametrize(("deliveries", "set_aside_at", "rows"), [(4, 5, 1), (5, 5, 0), (6, 5, 0), (9, 0, 1)])
def test_a_record_that_comes_for_the_last_time_is_set_aside(deliveries: int, set_aside_at: int, rows: int) -> None:
    """It is not tried once more; 0 says that none is set aside."""
    batch = prepared(Record((0, 4), wire(seq=1), deliveries), set_aside_at=set_aside_at)
    assert (len(batch.readings), len(batch.bad)) == (rows, 1 - rows)
    assert all(f"delivered {deliveries} times" in str(one.error) for one in batch.bad)


def test_shares_are_in_the_order_of_offsets() -> None:
    """One for each partition of the poll."""
    found = shares([Record((1, 9), wire()), Record((0, 4), wire()), Record((1, 2), wire())])  # type: ignore[list-item]
    assert [(share.partition, share.offsets.tolist()) for share in found] == [(0, [4]), (1, [2, 9])]


def test_an_answer_finds_what_was_said(tmp_path: Path) -> None:
    """The journal has what was given, what was said of it, and of each what came back, under the error's name."""
    journal = ShareJournal("processor-0", tmp_path)
    journal.acquired([Record((0, 4), wire(), 2)])  # type: ignore[list-item]
    journal.sent([(0, 4)], "accept")
    journal.sent([(0, 5)], "reject")
    journal.answered({TopicPartition("t", 0): {4}}, None)
    refused = KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
    journal.answered({TopicPartition("t", 0): {5}}, refused)
    given, *said = read_journal(tmp_path, "processor-0")[1:]
    assert isinstance(given, Acquisition) and (given.offset, given.delivery_count) == (4, 2)
    assert [(a.offset, a.kind, a.result) for a in said if isinstance(a, Acknowledgement)] == [
        (4, "accept", "sent"), (5, "reject", "sent"), (4, "accept", "ok"),
        (5, "reject", "NOT_LEADER_FOR_PARTITION"),
    ]  # fmt: skip


class Told(Worker):
    """A worker whose store takes what it is told to, and which notes what it says of records."""

    def __init__(self, refused: set[int]) -> None:
        self.refused, self.said = refused, list[tuple[int, str]]()
        self._explicit, self._unstored = True, False

    def stored(self, records: Any) -> Any:
        if self.refused & {record.offset() for record in records}:
            raise DataError("out of range")
        return Batch([], [])

    def _set_aside(self, bad: Any) -> None:
        self.said += [(one.offset, "dead letter") for one in bad]

    def _say(self, places: Any, kind: AckKind) -> None:
        self.said += [(offset, kind) for _, offset in places]

    def _commit(self) -> None:
        pass


def test_what_the_store_refuses_is_found_among_its_neighbours() -> None:
    """It becomes a dead letter and is rejected after that; the others of its poll are accepted."""
    worker = Told({5})
    worker._work([Record((0, offset), wire()) for offset in (4, 5, 6)])  # type: ignore[list-item]
    assert worker.said == [(4, "accept"), (5, "dead letter"), (5, "reject"), (6, "accept")]


def test_a_hasty_worker_accepts_before_it_stores() -> None:
    """The control differs from the factory's worker in this order alone."""

    class ToldToHurry(Told, Hasty):
        def stored(self, records: Any) -> Any:
            self.said.append((records[0].offset(), "stored"))
            return super().stored(records)

        work = Hasty.work

    hasty = ToldToHurry(set())
    hasty._work([Record((0, 4), wire())])  # type: ignore[list-item]
    assert hasty.said == [(4, "accept"), (4, "stored")]
