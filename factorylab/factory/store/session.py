"""A session with the database that outlives outages: its transactions, and the events of the system that go with them.

After a failure the database is left alone for a moment. What happened meanwhile is kept, and written with the next
transaction that works.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from factorylab.core.backoff import Backoff
from factorylab.factory.store.connection import Database, StoreUnavailable, in_schema

NOTES_MAX = 1000


@dataclass
class Outage:
    """Since when (monotonic) no batch could be stored, the calls that failed, and how long the longest of them took."""

    since_s: float
    tries: int = 0
    blocked_s: float = 0


class Session:
    """In the name of one owner, on the tables of one schema. Not for several threads."""

    def __init__(self, url: str, schema: str, owner: str, deadline_s: float) -> None:
        self._database = Database(url, owner, deadline_s)
        self._schema, self._owner = schema, owner
        self._notes: deque[tuple[datetime, str, str, str]] = deque(maxlen=NOTES_MAX)
        self._rest = Backoff()
        self._outage: Outage | None = None

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction, which begins with the events that are kept. After a failure the store is left alone for a
        moment, so however many calls there are between two polls, they take no longer than one deadline.

        Raises:
            StoreUnavailable: it is unknown whether the transaction counted, or it was not tried.
        """
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

    def works(self) -> None:
        """A batch was stored: an outage, if there was one, is over."""
        if self._outage is not None:
            lasted_s = time.monotonic() - self._outage.since_s
            blocked_s = self._outage.blocked_s
            self.note(
                "store_back", lasted_s=round(lasted_s, 3), tries=self._outage.tries, blocked_s=round(blocked_s, 3)
            )
            self._outage = None

    def note(self, kind: str, **detail: object) -> None:
        """Keep an event of the system and its time; it is written with the next transaction (the oldest are dropped
        beyond NOTES_MAX)."""
        self._notes.append((datetime.now(UTC), self._owner, kind, json.dumps(detail)))

    def _write_notes(self, cursor: Cursor) -> None:
        insert = in_schema(self._schema, "INSERT INTO {system_events} (at, worker, kind, detail) VALUES %s")
        execute_values(cursor, insert.as_string(cursor), list(self._notes))

    def close(self) -> None:
        self._database.close()
