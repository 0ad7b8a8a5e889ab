"""One partition in the hands of a processor: from polled records to a batch for the store.

Nothing here talks to the store, so a batch can be prepared, thrown away and prepared again from the last position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab.core import messages
from factorylab.core.errors import LabError
from factorylab.detectors.partition_detectors import Event, PartitionDetectors
from factorylab.factory.processor.intake import (
    FIELDS,
    POISON_STAGE,
    Bad,
    Intake,
    Ints,
    Records,
    by_kind,
    columns,
    take_in,
)
from factorylab.factory.processor.retries import PiecewiseRetry, Poison, retry_of
from factorylab.factory.store.copy_binary import POSTGRES_EPOCH_US, Columns
from factorylab.factory.store.positions import At, Taken
from factorylab.factory.store.rows import AlertRow, StoreBatch

Register = Callable[[Iterable[tuple[str, str, str]]], dict[str, int]]


@dataclass(frozen=True)
class Scoring:
    """Columns of all good readings of a batch; `fresh` are those that are scored."""

    slots: Ints
    ids: NDArray[np.int32]
    seqs: Ints
    offsets: Ints
    fresh: NDArray[np.bool_]


@dataclass
class Prepared:
    """A batch with what must be acknowledged elsewhere before its transaction (it began at `begun_ns`) is committed."""

    batch: StoreBatch
    alerts: list[messages.Alert]
    dead_letters: list[Bad]
    begun_ns: int | None = None


@dataclass
class Owned:
    """A partition that was taken. `next_offset` and `detectors` run ahead of the store while a batch is under way.

    `number` tells this spell of work from others of the same worker. `retry` is how it goes on after failures. What
    records below `delivered_to` raise was told of already.
    """

    partition: int
    epoch: int
    next_offset: int
    detectors: PartitionDetectors
    number: int
    retry: PiecewiseRetry | None = None
    gap_seen_at: int | None = None
    delivered_to: int = 0
    _ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def of(cls, partition: int, taken: Taken, number: int) -> Owned:
        """Go on where the store says.

        Raises:
            LabError: the saved detector state is not one that this program can read.
        """
        try:
            detectors = PartitionDetectors.load(taken.state)
        except (ValueError, msgspec.DecodeError) as error:
            raise LabError(f"partition {partition}: {error}; start the version that saved it") from error
        return cls(partition, taken.epoch, taken.next_offset, detectors, number, retry_of(taken))

    @property
    def at(self) -> At:
        return At(self.partition, self.next_offset, self.epoch)

    def set_aside(self, records: Records, error: Poison) -> Prepared:
        """A batch that steps over one record, which becomes a dead letter; the detectors never see it."""
        from_offset, self.next_offset = self.next_offset, records.last_offset + 1
        bad = Bad(0, self.partition, records.last_offset, records.keys[0], records.values[0], error, POISON_STAGE)
        batch = StoreBatch(self.partition, from_offset, self.next_offset, self.epoch, self.detectors.save(), [])
        return Prepared(batch, [], [bad])

    def prepare(self, records: Records, register: Register) -> Prepared:
        """Decode, check and score records, the first at or after `next_offset`.

        `register` gives the store's ids of sensors that were not seen before.
        """
        taken = take_in(records)
        from_offset, self.next_offset = self.next_offset, records.last_offset + 1
        alerts: list[messages.Alert] = []
        groups: list[Columns] = []
        if taken.readings:
            scoring = self._scoring(taken, records.offsets[taken.at], register)
            for kind, rows in by_kind(taken.readings).items():
                group, kind_alerts = self._kind(kind, rows, taken, scoring)
                groups.append(group)
                alerts += kind_alerts
        alert_rows = [alert_row(alert, id_) for alert, id_ in zip(alerts, self._ids_of(alerts), strict=True)]
        batch = StoreBatch(
            self.partition, from_offset, self.next_offset, self.epoch, self.detectors.save(), groups, alert_rows
        )
        return Prepared(batch, alerts, taken.bad)

    def _scoring(self, taken: Intake, offsets: Ints, register: Register) -> Scoring:
        slots = self.detectors.slots(taken.names)
        seqs = np.fromiter(map(attrgetter("seq"), taken.readings), np.int64, len(taken.readings))
        fresh = np.zeros(len(slots), bool)
        fresh[self.detectors.fresh(slots, seqs)] = True
        return Scoring(slots, self._sensor_ids(taken, slots, register), seqs, offsets, fresh)

    def _kind(
        self, kind: type[messages.AnyReading], rows: Ints, taken: Intake, scoring: Scoring
    ) -> tuple[Columns, list[messages.Alert]]:
        """The table columns and alerts of the readings of one kind, which are in `rows`."""
        readings = list(map(taken.readings.__getitem__, rows.tolist()))
        measures = columns(kind, readings)
        origin: Columns = {
            "sensor_id": scoring.ids[rows],
            "seq": scoring.seqs[rows],
            "record_offset": scoring.offsets[rows],
        }
        group = table_columns(self.partition, taken.recorded_us[rows], origin, measures)
        fresh = np.flatnonzero(scoring.fresh[rows])
        scored = {name: column[fresh] for name, column in (measures | {"seq": group["seq"]}).items()}
        events = self.detectors.score(FIELDS[kind][0], scoring.slots[rows][fresh], scored)
        return group, [alert_of(readings[fresh[event.row]], event) for event in events]

    def _sensor_ids(self, taken: Intake, slots: Ints, register: Register) -> NDArray[np.int32]:
        known = len(self._ids)
        if len(self.detectors.names) > known:
            new = self.detectors.names[known:]
            described = {r.sensor_id: (r.sensor_id, kind_of(r), r.location) for r in reversed(taken.readings)}
            found = register(described.get(name, (name, "", "")) for name in new)
            self._ids = np.concatenate([self._ids, np.array([found[name] for name in new], np.int32)])
        return self._ids[slots]

    def _ids_of(self, alerts: Sequence[messages.Alert]) -> list[int]:
        ids: list[int] = self._ids[self.detectors.slots([alert.sensor_id for alert in alerts])].tolist()
        return ids


def table_columns(partition: int, recorded_us: Ints, origin: Columns, measures: Columns) -> Columns:
    """Columns of the table `readings`; `origin` are sensor_id, seq and record_offset, all of equal length."""
    return {
        **origin,
        "recorded_at": recorded_us - POSTGRES_EPOCH_US,
        "partition": np.full(len(recorded_us), partition, np.int16),
        **measures,
    }


def kind_of(reading: messages.AnyReading) -> str:
    return FIELDS[type(reading)][0]


def alert_of(reading: messages.AnyReading, event: Event) -> messages.Alert:
    """The alert that an event of the detectors raises about a reading."""
    return messages.Alert(
        alert_id=messages.alert_id(reading.sensor_id, reading.seq, event.rule.name, event.rule.version),
        timestamp=reading.timestamp,
        sensor_id=reading.sensor_id,
        location=reading.location,
        seq=reading.seq,
        rule=event.rule.name,
        severity=event.level.severity,
        value=event.value,
        limit=event.level.limit,
        correlation_id=messages.correlation_id(reading.sensor_id, reading.seq),
    )


def alert_row(alert: messages.Alert, sensor_id: int) -> AlertRow:
    """The row of the table `alerts`."""
    return AlertRow(
        alert_id=alert.alert_id,
        sensor_id=sensor_id,
        seq=alert.seq,
        rule=alert.rule,
        severity=alert.severity,
        value=alert.value,
        limit_value=alert.limit,
        raised_at=alert.timestamp,
        correlation_id=alert.correlation_id,
    )
