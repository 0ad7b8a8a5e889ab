"""The store: readings, alerts and positions in PostgreSQL, exactly once in effect.

Rules:
- Who is assigned a partition takes it: its epoch rises by one, and position and detector state come back.
- A batch is one transaction that begins by moving the position, from where the batch began, under the epoch that was
  taken. If that touches no row, another owner has moved on: nothing is written (`Fenced`).
- When an answer is lost, nobody can know whether the transaction counted. Taking the partition again tells: the
  position either moved or it did not.
"""

from __future__ import annotations

import io
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import LiteralString

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from factorylab.errors import LabError
from factorylab.factory.backoff import Backoff
from factorylab.factory.copy_binary import Columns, copy_bytes
from factorylab.factory.database import APPLICATION, Database, StoreUnavailable
from factorylab.factory.steps import reached

LOCK_S = 2  # a living owner holds a position for milliseconds


class Fenced(LabError):
    """Another owner has taken the partition, or moved its position: nothing was written."""


@dataclass(frozen=True)
class Taken:
    """A partition as it was taken: read from `next_offset` on, with the detectors' `state` there.

    `takes` counts since the last batch that was stored; `tries` how often the records up to `tried_to` were begun.
    """

    next_offset: int
    epoch: int
    state: bytes | None
    takes: int = 0
    tries: int = 0
    tried_to: int = 0


@dataclass(frozen=True)
class At:
    """Where an owner believes a partition to stand."""

    partition: int
    offset: int
    epoch: int


@dataclass(frozen=True)
class AlertRow:
    alert_id: str
    sensor_id: int
    seq: int
    rule: str
    severity: str
    value: float
    limit_value: float
    raised_at: str
    correlation_id: str


@dataclass(frozen=True)
class Batch:
    """One transaction: offsets `from_offset` ≤ o < `to_offset` of a partition.

    `readings` are groups of columns of the table `readings` (equal lengths, no nulls), one group a kind.
    """

    partition: int
    from_offset: int
    to_offset: int
    epoch: int
    state: bytes
    readings: Sequence[Columns]
    alerts: Sequence[AlertRow] = field(default=())

    @property
    def rows(self) -> int:
        return sum(len(next(iter(group.values()))) for group in self.readings)


@dataclass
class Outage:
    """Since when (monotonic) no batch could be stored, the calls that failed, and how long the longest of them took."""

    since_s: float
    tries: int = 0
    blocked_s: float = 0


class Store:
    """The tables of one schema, in the name of one owner of partitions of one topic. Not for several threads."""

    def __init__(self, url: str, schema: str, topic: str, owner: str, deadline_s: float) -> None:
        self._database = Database(url, owner, deadline_s)
        self._schema, self._topic, self._owner = schema, topic, owner
        self._notes: deque[tuple[datetime, str, str, str]] = deque(maxlen=1000)
        self._rest = Backoff()
        self._outage: Outage | None = None

    def _sql(self, text: str, **names: str) -> sql.Composed:
        return sql.SQL(text).format(**{key: sql.Identifier(self._schema, name) for key, name in names.items()})

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """One transaction, which begins with the events that are kept. After a failure the store is left alone for a
        moment, so however many calls there are between two polls, they take no longer than one deadline."""
        if not self.ready:
            raise StoreUnavailable("database: not tried again so soon after it failed")
        began_s = time.monotonic()
        try:
            with self._database.transaction() as cursor:
                if self._notes:
                    self._write_notes(cursor)
                yield cursor
        except StoreUnavailable as error:
            self._failed(error, time.monotonic() - began_s)
            raise
        self._rest.succeeded()
        self._notes.clear()

    @property
    def ready(self) -> bool:
        """False for a moment after a failure."""
        return self._rest.ready

    def _failed(self, error: StoreUnavailable, blocked_s: float) -> None:
        self._rest.failed()
        if self._outage is None:
            self._outage = Outage(time.monotonic() - blocked_s)
            self.note("store_lost", error=str(error), blocked_s=round(blocked_s, 3))
        self._outage.tries += 1
        self._outage.blocked_s = max(self._outage.blocked_s, blocked_s)

    def _works(self) -> None:
        """A batch was stored: an outage, if there was one, is over."""
        if self._outage is not None:
            lasted_s = time.monotonic() - self._outage.since_s
            blocked_s = self._outage.blocked_s
            self.note(
                "store_back", lasted_s=round(lasted_s, 3), tries=self._outage.tries, blocked_s=round(blocked_s, 3)
            )
            self._outage = None

    def take(self, partition: int, *, forgive: bool = False) -> Taken:
        """Become the owner of a partition; `forgive` takes back the last try. A former owner that is frozen inside a
        transaction loses its session."""
        try:
            return self._take(partition, int(forgive))
        except errors.LockNotAvailable:
            self._end_session_of_owner(partition)
            return self._take(partition, int(forgive))

    def _take(self, partition: int, forgiven: int) -> Taken:
        with self._transaction() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_S}s",))
            cursor.execute(
                self._sql(
                    "INSERT INTO {p} AS p (topic, partition, next_offset, owner_epoch, owner, owner_backend, takes)"
                    " VALUES (%s, %s, 0, 1, %s, pg_backend_pid(), 1) ON CONFLICT (topic, partition) DO UPDATE"
                    " SET owner_epoch = p.owner_epoch + 1, owner = excluded.owner,"
                    " owner_backend = excluded.owner_backend, takes = p.takes + 1, tries = greatest(p.tries - %s, 0)"
                    " RETURNING next_offset, owner_epoch, state, takes, tries, tried_to",
                    p="positions",
                ),
                (self._topic, partition, self._owner, forgiven),
            )
            next_offset, epoch, state, *care = cursor.fetchone() or (0, 0, None, 0, 0, 0)
        return Taken(next_offset, epoch, None if state is None else bytes(state), *care)

    def begin(self, at: At, to_offset: int) -> None:
        """Write down that these records are tried once more; a commit forgets it.

        A death of the process is what it must outlive, not one of the database: it need not wait for the disk.

        Raises:
            Fenced, StoreUnavailable: as `commit`.
        """
        with self._transaction() as cursor:
            cursor.execute("SELECT set_config('synchronous_commit', 'off', true)")
            self._update_position(
                cursor,
                "tries = CASE WHEN tried_to = %s THEN tries ELSE 0 END + 1, tried_to = %s",
                (to_offset, to_offset),
                at,
            )

    def _end_session_of_owner(self, partition: int) -> None:
        with self._transaction() as cursor:
            cursor.execute(
                self._sql(
                    "SELECT pg_terminate_backend(a.pid) FROM {p} AS p JOIN pg_stat_activity AS a"
                    " ON a.pid = p.owner_backend AND a.application_name = %s || p.owner"
                    " WHERE p.topic = %s AND p.partition = %s AND a.pid <> pg_backend_pid()",
                    p="positions",
                ),
                (APPLICATION, self._topic, partition),
            )

    def sensor_ids(self, sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
        """The id of each (name, kind, location), by name; unknown ones are registered."""
        wanted = sorted({name: (name, kind, location) for name, kind, location in sensors}.values())
        with self._transaction() as cursor:
            execute_values(
                cursor,
                self._sql("INSERT INTO {s} (name, kind, location) VALUES %s ON CONFLICT (name) DO NOTHING", s="sensors")
                .as_string(cursor),
                wanted,
            )  # fmt: skip
            cursor.execute(
                self._sql("SELECT name, id FROM {s} WHERE name = ANY(%s)", s="sensors"), ([row[0] for row in wanted],)
            )
            return dict(cursor.fetchall())

    def commit(self, batch: Batch) -> int:
        """Write a batch; the number of readings that were new.

        Raises:
            Fenced: the partition has another owner or position; nothing was written.
            StoreUnavailable: it is unknown whether the batch was written.
        """
        try:
            with self._transaction() as cursor:
                self._move(cursor, batch)
                for columns in batch.readings:
                    self._copy(cursor, self._sql("{t}", t="readings"), columns)
                self._insert_alerts(cursor, batch.alerts)
                reached("in_store")
            new = batch.rows
        except errors.UniqueViolation:
            new = self._commit_new_only(batch)
        self._works()
        return new

    def _commit_new_only(self, batch: Batch) -> int:
        """The same through a staging table: readings that are there already are left as they are."""
        new = 0
        with self._transaction() as cursor:
            self._move(cursor, batch)
            cursor.execute(self._sql("CREATE TEMPORARY TABLE staging (LIKE {t}) ON COMMIT DROP", t="readings"))
            for columns in batch.readings:
                self._copy(cursor, sql.SQL("staging"), columns)
            cursor.execute(
                self._sql(
                    "INSERT INTO {t} SELECT DISTINCT ON (sensor_id, seq) * FROM staging"
                    " ORDER BY sensor_id, seq, record_offset ON CONFLICT DO NOTHING",
                    t="readings",
                )
            )
            new = cursor.rowcount
            self._insert_alerts(cursor, batch.alerts)
        return new

    def _move(self, cursor: Cursor, batch: Batch) -> None:
        self._update_position(
            cursor,
            "next_offset = %s, state = %s, takes = 0, tries = 0, tried_to = 0",
            (batch.to_offset, batch.state),
            At(batch.partition, batch.from_offset, batch.epoch),
        )

    def _update_position(self, cursor: Cursor, change: LiteralString, values: tuple[object, ...], at: At) -> None:
        """Change the row of a position, which must be where its owner believes it to be: the fence."""
        fence = sql.SQL(" WHERE topic = %s AND partition = %s AND next_offset = %s AND owner_epoch = %s")
        statement = self._sql("UPDATE {p} SET ", p="positions") + sql.SQL(change) + fence
        cursor.execute(statement, (*values, self._topic, at.partition, at.offset, at.epoch))
        if cursor.rowcount != 1:
            expected = f"position {at.offset} under epoch {at.epoch}"
            raise Fenced(f"partition {at.partition} is no longer ours: it is not at {expected}")

    def _copy(self, cursor: Cursor, table: sql.Composable, columns: Columns) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            table, sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        cursor.copy_expert(statement, io.BytesIO(copy_bytes(columns)))

    def _insert_alerts(self, cursor: Cursor, alerts: Sequence[AlertRow]) -> None:
        if alerts:
            names = AlertRow.__annotations__
            insert = sql.SQL("INSERT INTO {} ({}) VALUES %s ON CONFLICT (alert_id) DO NOTHING").format(
                self._sql("{a}", a="alerts"), sql.SQL(", ").join(map(sql.Identifier, names))
            )
            rows = sorted(tuple(getattr(alert, name) for name in names) for alert in alerts)
            execute_values(cursor, insert.as_string(cursor), rows)

    def note(self, kind: str, **detail: object) -> None:
        """Keep an event of the system and its time; it is written with the next transaction (the oldest are dropped
        beyond 1000)."""
        self._notes.append((datetime.now(UTC), self._owner, kind, json.dumps(detail)))

    def write_notes(self) -> None:
        """Write the events that are kept, in a transaction of their own."""
        with self._transaction():
            pass

    def _write_notes(self, cursor: Cursor) -> None:
        insert = self._sql("INSERT INTO {e} (at, worker, kind, detail) VALUES %s", e="system_events")
        execute_values(cursor, insert.as_string(cursor), list(self._notes))

    def close(self) -> None:
        self._database.close()
