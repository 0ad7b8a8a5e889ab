"""What a lab that is up does just now: throughput, lag, owners, alerts. Two looks make a rate.

Each question is asked again and again by a thread and a client of its own: each broker for what it knows of the
partitions and for the ends of those that it leads, the group, and PostgreSQL. Who does not answer delays nobody else. A
look never waits: it has the latest answer to each question and says how old that is, since an old answer is news.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any, TypeVar

import msgspec
import psycopg2
from psycopg2 import sql

from factorylab.cluster.base import Endpoints
from factorylab.cluster.coordinator import Coordinator
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.views import PartitionView
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import LabError
from factorylab.core.names import Names
from factorylab.execution.probe_questions import Answer, RepeatedQuestion, Views, ends_of, newest, views_of
from factorylab.factory.store.connection import Database
from factorylab.operations.answer_age import fresh

ANSWER_S = 1.0  # a broker's time to answer; healthy ones take 2 ms
DATABASE_S = 2.0
TICK_S = 0.05
LATEST = 8

T = TypeVar("T")


class PartitionNow(msgspec.Struct, frozen=True):
    """`stored` is the store's next offset; `owner` is empty where the group gave it to nobody. `end` is None where no
    leader ever told it, and was told `end_age_s` ago."""

    partition: int
    leader: int
    isr: list[int]
    end: int | None
    stored: int | None
    owner: str
    end_age_s: float | None

    @property
    def lag_records(self) -> int | None:
        if self.stored is None or self.end is None or not fresh(self.end_age_s):
            return None
        return max(0, self.end - self.stored)


class AlertNow(msgspec.Struct, frozen=True):
    """`machine` is the sensor that watches it."""

    correlation_id: str
    rule: str
    severity: str
    value: float
    raised_at: datetime
    machine: str
    location: str


class EventNow(msgspec.Struct, frozen=True):
    at: datetime
    worker: str
    kind: str
    detail: str


class StoreView(msgspec.Struct, frozen=True):
    """What the database says."""

    positions: dict[int, int]
    alerts: int
    latest_alerts: list[AlertNow]
    latest_events: list[EventNow]


class Ages(msgspec.Struct, frozen=True):
    """How old the oldest part of each answer is (seconds); None as long as nobody answered."""

    leaders: float | None
    ends: float | None
    group: float | None
    store: float | None

    @property
    def complete(self) -> bool:
        """Has every question been answered once?"""
        return None not in msgspec.structs.astuple(self)


class Look(msgspec.Struct, frozen=True):
    """The latest answers, each as old as `ages_s` says; None is what nobody answered yet."""

    t_ns: int
    partitions: list[PartitionNow] | None
    group_state: str | None
    store: StoreView | None
    ages_s: Ages

    @property
    def lag_records(self) -> int | None:
        """Of all partitions; None as long as that of one is not known, or is one of earlier."""
        lags = [one.lag_records for one in self.partitions or ()]
        known = lags and None not in lags and fresh(self.ages_s.store)
        return sum(lag for lag in lags if lag is not None) if known else None


class Rates(msgspec.Struct, frozen=True):
    """Readings per second between two looks; None where one of them does not know."""

    written_per_s: float | None
    stored_per_s: float | None


def rates(before: Look, now: Look) -> Rates:
    """What came into the log and into the store from one look to the next, counted from answer to answer."""
    return Rates(_rate(_written(before), _written(now)), _rate(_stored(before), _stored(now)))


Told = tuple[int, int]
"""A number of records, and when it was told (ns)."""


def _written(look: Look) -> dict[int, Told]:
    """Of each partition; empty where one is not known now."""
    told = {one.partition: (one.end, _told_ns(look, one.end_age_s)) for one in look.partitions or ()}
    known = {p: (end, at) for p, (end, at) in told.items() if end is not None and at is not None}
    return known if len(known) == len(told) else {}


def _stored(look: Look) -> dict[int, Told]:
    at = _told_ns(look, look.ages_s.store)
    return {p: (n, at) for p, n in look.store.positions.items()} if look.store and at is not None else {}


def _told_ns(look: Look, age_s: float | None) -> int | None:
    """None where it is too old to make a number of it."""
    return look.t_ns - round(age_s * NS) if age_s is not None and fresh(age_s) else None


def _rate(before: dict[int, Told], now: dict[int, Told]) -> float | None:
    """Of all partitions together; None where one of them told nothing new."""
    pairs = [(before[partition], told) for partition, told in now.items() if partition in before]
    if not pairs or any(then[1] >= told[1] for then, told in pairs):
        return None
    return sum((told[0] - then[0]) * NS / (told[1] - then[1]) for then, told in pairs)


class Looker:
    """Looks at one lab's factory again and again; questions are asked every `every_s` seconds."""

    def __init__(self, endpoints: Endpoints, names: Names, every_s: float = 0.5) -> None:
        self._topic, self._every_s, self._stop = names.sensors, every_s, Event()
        self._ends: dict[int, Answer[int]] = {}
        self._views: dict[int, RepeatedQuestion[Views]] = {}
        self._told: dict[int, RepeatedQuestion[dict[int, int]]] = {}
        for number in range(1, len(endpoints.bootstrap.split(",")) + 1):
            seeing, telling = (OneBroker(endpoints.bootstrap, number, 0, ANSWER_S) for _ in range(2))
            self._views[number] = self._watch(partial(views_of, seeing, names.sensors), seeing.close)
            self._told[number] = self._watch(partial(self._ends_of, telling), telling.close)
        coordinator = Coordinator(endpoints.bootstrap, names.group, 0, ANSWER_S)
        self._group = self._watch(coordinator.view, coordinator.close)
        database = Database(endpoints.database_url, "watch", DATABASE_S)
        self._store = self._watch(lambda: stored(database, names), database.close)

    def _watch(self, question: Callable[[], T], at_end: Callable[[], None]) -> RepeatedQuestion[T]:
        return RepeatedQuestion(self._stop, question, self._every_s, at_end)

    def _ends_of(self, broker: OneBroker) -> dict[int, int]:
        views = self._views[broker.number].latest()
        return ends_of(broker, self._topic, views.value if views else None)

    def look(self) -> Look:
        """What is known now; it waits for nobody."""
        t_ns = now_ns()
        group, store = self._group.latest(), self._store.latest()
        views, viewed = self._newest_views(t_ns)
        self._remember_ends()
        owners, positions = group.value.owners if group else {}, store.value.positions if store else {}
        partitions = [
            PartitionNow(
                partition=partition,
                leader=view.leader,
                isr=list(view.isr),
                end=self._ends[partition].value if partition in self._ends else None,
                stored=positions.get(partition),
                owner=owners.get(partition, ""),
                end_age_s=_age_s(t_ns, self._ends.get(partition)),
            )
            for partition, view in sorted(views.items())
        ]
        end_ages = [one.end_age_s for one in partitions]
        ages = Ages(
            leaders=_age_s(t_ns, viewed),
            ends=max((age for age in end_ages if age is not None), default=None) if None not in end_ages else None,
            group=_age_s(t_ns, group),
            store=_age_s(t_ns, store),
        )
        state, kept = group.value.state if group else None, store.value if store else None
        return Look(t_ns, partitions or None, state, kept, ages)

    def _newest_views(self, t_ns: int) -> tuple[dict[int, PartitionView], Answer[Views] | None]:
        """Of each partition the view that counts: of the brokers that answer, or of all as long as none does; and the
        latest of those answers."""
        said = {number: answer for number, watch in self._views.items() if (answer := watch.latest())}
        now = {number: answer for number, answer in said.items() if fresh(_age_s(t_ns, answer))} or said
        told = {number: answer.value for number, answer in now.items()}
        partitions = {partition for views in told.values() for partition in views}
        found = {partition: view for partition in partitions if (view := newest(told, partition))}
        return found, max(now.values(), key=lambda answer: answer.asked_ns, default=None)

    def _remember_ends(self) -> None:
        """The latest that a leader told of each partition; one that does not answer takes nothing back."""
        for answer in filter(None, (watch.latest() for watch in self._told.values())):
            for partition, end in answer.value.items():
                known = self._ends.get(partition)
                if known is None or known.asked_ns < answer.asked_ns:
                    self._ends[partition] = Answer(end, answer.asked_ns, answer.came_s)

    def wait_for_all(self, at_most_s: float) -> None:
        """Wait until each question has been answered once, or the time is over."""
        deadline = time.monotonic() + at_most_s
        while not self.look().ages_s.complete and time.monotonic() < deadline:
            time.sleep(TICK_S)

    def close(self) -> None:
        """Ask nothing more; each thread closes its client as soon as it waits for no answer."""
        self._stop.set()


def stored(database: Database, names: Names) -> StoreView:
    """What the database says of a factory. Raises LabError where it says nothing."""
    tables = {name: sql.Identifier(names.schema, name) for name in ("positions", "alerts", "sensors", "system_events")}

    def ask(text: str, *values: object) -> list[tuple[Any, ...]]:
        cursor.execute(sql.SQL(text).format(**tables), values)
        return cursor.fetchall()

    try:
        with database.transaction() as cursor:
            positions = ask("SELECT partition, next_offset FROM {positions} WHERE topic = %s", names.sensors)
            ((alerts,),) = ask("SELECT count(*) FROM {alerts}")
            latest = ask(
                "SELECT correlation_id, rule, severity, value, raised_at, name, location FROM"
                " (SELECT * FROM {alerts} ORDER BY raised_at DESC LIMIT %s) AS latest"
                " JOIN {sensors} ON sensors.id = sensor_id ORDER BY raised_at DESC",
                LATEST,
            )
            events = ask("SELECT at, worker, kind, detail::text FROM {system_events} ORDER BY id DESC LIMIT %s", LATEST)
    except psycopg2.Error as error:
        raise LabError(f"database: {error}") from None
    found = {"positions": dict(positions), "alerts": alerts}
    named = {
        "latest_alerts": [dict(zip(AlertNow.__struct_fields__, row, strict=True)) for row in latest],
        "latest_events": [dict(zip(EventNow.__struct_fields__, row, strict=True)) for row in events],
    }
    return msgspec.convert(found | named, StoreView)


def _age_s(t_ns: int, answer: Answer[Any] | None) -> float | None:
    return None if answer is None else max(0.0, (t_ns - answer.asked_ns) / NS)
