"""Readings that nobody needs any more: dropped by the time at which they were recorded.

Rules:
- Only readings go. Alerts, events, sensors and positions stay: they are small, and positions say where to read on.
- The schema of a run is evidence, whatever its age.
- What was dropped is said, and noted in `system_events` in the same transaction.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql

from factorylab.core.errors import UsageError
from factorylab.core.libpq import connect
from factorylab.factory.store.connection import CONNECT_S

OF_A_RUN = "run_"
COUNT = "SELECT recorded_at FROM {readings} WHERE recorded_at < %s"
DROP = "DELETE FROM {readings} WHERE recorded_at < %s RETURNING recorded_at"
SUMMARY = "WITH gone AS ({gone}) SELECT count(*), min(recorded_at), max(recorded_at) FROM gone"


@dataclass(frozen=True)
class Dropped:
    """What went: how many readings, and from when to when they were recorded (None where none went)."""

    readings: int
    oldest: datetime | None
    newest: datetime | None


def drop_readings(url: str, schema: str, before: datetime, *, dry_run: bool = False) -> Dropped:
    """Drop the readings of `schema` that were recorded before `before` (with a time zone); `dry_run` only counts them.

    One transaction: it takes seconds for millions of readings and does not hold up new ones. PostgreSQL reuses the room
    after its next vacuum.

    Raises:
        UsageError: the schema is that of a run, or the time has no zone.
    """
    if schema.startswith(OF_A_RUN):
        raise UsageError(f"schema {schema} is the evidence of a run: nothing is dropped from it")
    if before.tzinfo is None:
        raise UsageError(f"the time {before} has no time zone: write one, as in 2026-01-31T10:42:00+00:00")
    names = {name: sql.Identifier(schema, name) for name in ("readings", "system_events")}
    query = sql.SQL(SUMMARY).format(gone=sql.SQL(COUNT if dry_run else DROP).format(**names))
    with (
        closing(connect(url, connect_timeout=CONNECT_S)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query, (before,))
        dropped = Dropped(*(cursor.fetchone() or (0, None, None)))
        if dropped.readings and not dry_run:
            note = json.dumps({"before": before.isoformat(), "readings": dropped.readings})
            insert = sql.SQL("INSERT INTO {system_events} (worker, kind, detail) VALUES ('retention', 'dropped', %s)")
            cursor.execute(insert.format(**names), (note,))
    return dropped
