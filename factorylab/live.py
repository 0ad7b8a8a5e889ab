"""What a lab that is up does just now: throughput, lag, owners, alerts. Two looks make a rate.

Everything is asked for anew with each look: Kafka for ends, offsets and the group, PostgreSQL for positions, alerts and
events. What does not answer in time is None, and the view says so: that is news, not an error.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import psycopg2
from psycopg2 import sql

from factorylab.clock import NS, now_ns
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.errors import LabError
from factorylab.factory.database import Database
from factorylab.names import Names

T = TypeVar("T")
ANSWER_S = 2.0
LATEST = 8


class PartitionNow(msgspec.Struct, frozen=True):
    """`stored` is the store's next offset; `owner` is empty where the group gave it to nobody."""

    partition: int
    leader: int
    isr: list[int]
    end: int
    stored: int | None
    owner: str

    @property
    def lag_records(self) -> int | None:
        return None if self.stored is None else max(0, self.end - self.stored)


class AlertNow(msgspec.Struct, frozen=True):
    correlation_id: str
    rule: str
    severity: str
    value: float


class EventNow(msgspec.Struct, frozen=True):
    at: datetime
    worker: str
    kind: str
    detail: str


class Stored(msgspec.Struct, frozen=True):
    """What the database says."""

    positions: dict[int, int]
    alerts: int
    latest_alerts: list[AlertNow]
    latest_events: list[EventNow]


class Look(msgspec.Struct, frozen=True):
    """One look; None is what did not answer in time."""

    t_ns: int
    partitions: list[PartitionNow] | None
    group_state: str | None
    store: Stored | None

    @property
    def lag_records(self) -> int | None:
        """Of all partitions; None as long as that of one is not known."""
        lags = [one.lag_records for one in self.partitions or ()]
        return sum(lag for lag in lags if lag is not None) if lags and None not in lags else None


class Rates(msgspec.Struct, frozen=True):
    """Readings per second between two looks; None where one of them does not know."""

    written_per_s: float | None
    stored_per_s: float | None


def rates(before: Look, now: Look) -> Rates:
    """What came into the log and into the store from one look to the next."""
    seconds = (now.t_ns - before.t_ns) / NS
    return Rates(
        _rate(_written(before), _written(now), seconds),
        _rate(_stored(before), _stored(now), seconds),
    )


def _written(look: Look) -> int | None:
    return sum(one.end for one in look.partitions) if look.partitions else None


def _stored(look: Look) -> int | None:
    return sum(look.store.positions.values()) if look.store else None


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    return None if before is None or now is None or seconds <= 0 else (now - before) / seconds


class Looker:
    """Looks at one lab's standing factory again and again."""

    def __init__(self, endpoints: Endpoints, names: Names) -> None:
        self._database, self._names = Database(endpoints.database_url, "watch", ANSWER_S), names
        self._admin = Admin(endpoints.bootstrap, deadline_s=ANSWER_S, answer_s=ANSWER_S)

    def look(self) -> Look:
        t_ns, store = now_ns(), _or_none(self._store)
        group = _or_none(lambda: self._admin.group(self._names.group))
        owners = group.owners if group else {}
        partitions = _or_none(lambda: self._partitions(owners, store.positions if store else {}))
        return Look(t_ns, partitions, group.state if group else None, store)

    def _partitions(self, owners: dict[int, str], positions: dict[int, int]) -> list[PartitionNow]:
        views = self._admin.partitions(self._names.sensors)
        ends = self._admin.ends(self._names.sensors, [view.partition for view in views])
        return [
            PartitionNow(
                v.partition,
                v.leader,
                list(v.isr),
                ends[v.partition],
                positions.get(v.partition),
                owners.get(v.partition, ""),
            )
            for v in views
        ]

    def _store(self) -> Stored:
        tables = ("positions", "alerts", "system_events")
        names = {name: sql.Identifier(self._names.schema, name) for name in tables}

        def ask(text: str, *values: object) -> list[tuple[Any, ...]]:
            cursor.execute(sql.SQL(text).format(**names), values)
            return cursor.fetchall()

        with self._database.transaction() as cursor:
            positions = ask("SELECT partition, next_offset FROM {positions} WHERE topic = %s", self._names.sensors)
            ((alerts,),) = ask("SELECT count(*) FROM {alerts}")
            latest = ask(
                "SELECT correlation_id, rule, severity, value FROM {alerts} ORDER BY raised_at DESC LIMIT %s", LATEST
            )
            events = ask("SELECT at, worker, kind, detail::text FROM {system_events} ORDER BY id DESC LIMIT %s", LATEST)
        found = {"positions": dict(positions), "alerts": alerts}
        named = {
            "latest_alerts": [dict(zip(AlertNow.__struct_fields__, row, strict=True)) for row in latest],
            "latest_events": [dict(zip(EventNow.__struct_fields__, row, strict=True)) for row in events],
        }
        return msgspec.convert(found | named, Stored)

    def close(self) -> None:
        self._admin.close()
        self._database.close()


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (LabError, psycopg2.Error):
        return None
