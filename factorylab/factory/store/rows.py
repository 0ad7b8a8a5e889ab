"""Rows of a batch: sensors, readings and alerts in the tables of a schema.

Each call is a step of a transaction that the caller makes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from factorylab.detectors.saved_state import Part
from factorylab.factory.store.connection import in_schema
from factorylab.factory.store.copy_binary import FROM_STDIN, Columns, copy_bytes, names

SENT_BYTES = 1 << 18  # at a time: 8 kB, the default, are a call of send() each
TOGETHER_ROWS = 2_000
"""From so many rows on a batch is one COPY, below it one for each kind: PostgreSQL 18 notes up to 1,000 rows of a COPY
under the same hash, which takes time with the square of their number (docs/pipeline.md)."""


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
class StoreBatch:
    """One transaction: offsets `from_offset` ≤ o < `to_offset` of a partition.

    `readings` are groups of columns of the table `readings` (equal lengths, no nulls), one group a kind. `state` is
    that of the detectors at `to_offset`.
    """

    partition: int
    from_offset: int
    to_offset: int
    epoch: int
    state: Part
    readings: Sequence[Columns]
    alerts: Sequence[AlertRow] = field(default=())

    @property
    def rows(self) -> int:
        return count(self.readings)


def count(readings: Sequence[Columns]) -> int:
    """How many rows these groups of columns are."""
    return sum(len(next(iter(group.values()))) for group in readings)


def register(cursor: Cursor, schema: str, sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    """The id of each (name, kind, location), by name; unknown ones get one."""
    wanted = sorted({name: (name, kind, location) for name, kind, location in sensors}.values())
    insert = "INSERT INTO {sensors} (name, kind, location) VALUES %s ON CONFLICT (name) DO NOTHING"
    execute_values(cursor, in_schema(schema, insert).as_string(cursor), wanted)
    query = in_schema(schema, "SELECT name, id FROM {sensors} WHERE name = ANY(%s)")
    cursor.execute(query, ([row[0] for row in wanted],))
    return dict(cursor.fetchall())


def insert(cursor: Cursor, schema: str, readings: Sequence[Columns], alerts: Sequence[AlertRow] = ()) -> int:
    """Write readings (groups of columns, one a kind) and alerts; the number of readings.

    Raises:
        psycopg2.errors.UniqueViolation: one of the readings is there already.
    """
    groups, rows = [by_sensor(columns) for columns in readings], count(readings)
    for together in [groups] if rows >= TOGETHER_ROWS else [[columns] for columns in groups]:
        copy(cursor, in_schema(schema, "{readings}"), together)
    _insert_alerts(cursor, schema, alerts)
    return rows


def insert_new(cursor: Cursor, schema: str, readings: Sequence[Columns], alerts: Sequence[AlertRow] = ()) -> int:
    """The same through a staging table: readings that are there already are left as they are and not counted."""
    cursor.execute(in_schema(schema, "CREATE TEMPORARY TABLE staging (LIKE {readings}) ON COMMIT DROP"))
    copy(cursor, sql.SQL("staging"), readings)
    cursor.execute(
        in_schema(
            schema,
            "INSERT INTO {readings} SELECT DISTINCT ON (sensor_id, seq) * FROM staging"
            " ORDER BY sensor_id, seq, record_offset ON CONFLICT DO NOTHING",
        )
    )
    new = cursor.rowcount
    _insert_alerts(cursor, schema, alerts)
    return new


def by_sensor(columns: Columns) -> Columns:
    """The same rows, sensor by sensor: each index finds the page of a sensor once in the cache, not once a reading."""
    order = np.argsort(columns["sensor_id"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def copy(cursor: Cursor, table: sql.Composable, groups: Sequence[Columns]) -> None:
    """Write groups of columns into a table, in one statement (see `copy_bytes`)."""
    if groups:
        columns = sql.SQL(", ").join(map(sql.Identifier, names(groups)))
        statement = sql.SQL("COPY {} ({})" + FROM_STDIN).format(table, columns)
        cursor.copy_expert(statement, io.BytesIO(copy_bytes(groups)), SENT_BYTES)


def _insert_alerts(cursor: Cursor, schema: str, alerts: Sequence[AlertRow]) -> None:
    if alerts:
        fields = AlertRow.__annotations__
        statement = sql.SQL("INSERT INTO {} ({}) VALUES %s ON CONFLICT (alert_id) DO NOTHING").format(
            in_schema(schema, "{alerts}"), sql.SQL(", ").join(map(sql.Identifier, fields))
        )
        rows = sorted(tuple(getattr(alert, name) for name in fields) for alert in alerts)
        execute_values(cursor, statement.as_string(cursor), rows)
