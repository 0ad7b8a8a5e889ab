"""What a worker of a share group writes down: which records it was given, what it said of them, what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from confluent_kafka import KafkaException, Message, TopicPartition

from factorylab.core.clock import now_ns
from factorylab.core.vocabulary import AckKind
from factorylab.history.journal import Journal
from factorylab.history.tables import ANSWERED_OK, SENT, Acknowledgement, Acquisition

Place = tuple[int, int]  # partition, offset


def place_of(record: Message) -> Place:
    """Where a record, which is no error, came from."""
    return cast(Place, (record.partition(), record.offset()))


class ShareJournal:
    """The journal of one worker; without a folder nothing is written."""

    def __init__(self, worker: str, folder: Path | None) -> None:
        self._worker = worker
        self._journal = Journal(folder, worker, "processor") if folder else None
        self._said: dict[Place, AckKind] = {}

    def acquired(self, records: Sequence[Message]) -> None:
        """A poll gave these."""
        t_ns = now_ns()
        self._write(
            Acquisition(
                worker=self._worker,
                t_ns=t_ns,
                partition=partition,
                offset=offset,
                delivery_count=record.delivery_count() or 0,
            )
            for record in records
            for partition, offset in [place_of(record)]
        )

    def sent(self, places: Iterable[Place], kind: AckKind) -> None:
        """Said of these records, and on its way with the next call of the client."""
        told = dict.fromkeys(places, kind)
        self._said |= told
        self._acknowledgements(told, SENT)

    def answered(self, offsets: Mapping[TopicPartition, Iterable[int]], error: KafkaException | None) -> None:
        """The broker's answer, as the client calls back."""
        places = [(at.partition, offset) for at, of in offsets.items() for offset in sorted(of)]
        told = {place: self._said.pop(place, "accept") for place in places}
        self._acknowledgements(told, ANSWERED_OK if error is None else error.args[0].name())

    def _acknowledgements(self, told: Mapping[Place, AckKind], result: str) -> None:
        t_ns = now_ns()
        self._write(
            Acknowledgement(
                worker=self._worker, t_ns=t_ns, partition=partition, offset=offset, kind=kind, result=result
            )
            for (partition, offset), kind in told.items()
        )

    def _write(self, rows: Iterable[Acquisition | Acknowledgement]) -> None:
        if self._journal is not None and (found := list(rows)):
            self._journal.write_all(found)
