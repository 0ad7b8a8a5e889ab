"""What the lab itself does to the factory, written into the factory's table `system_events`.

A thread writes, so that a database that is away, perhaps because that is the fault, delays no fault and no healing:
events keep their moment and wait until it is back.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from threading import Event, Thread
from types import TracebackType
from typing import Self

from psycopg2 import Error, sql
from psycopg2.extras import Json

from factorylab.core.errors import LabError
from factorylab.factory.store.connection import Database
from factorylab.history.tables import FaultStep

DEADLINE_S = 5.0  # of one transaction: a frozen server answers nothing
AGAIN_S = 1.0
WRITER = "lab"


class SystemEvents:
    """The table of one schema, which may come later. `left` is what could not be written when it was closed."""

    def __init__(self, url: str, schema: str) -> None:
        self._database = Database(url, WRITER, DEADLINE_S)
        self._insert = sql.SQL("INSERT INTO {} (at, worker, kind, detail) VALUES (%s, %s, %s, %s)").format(
            sql.Identifier(schema, "system_events")
        )
        self._waiting: deque[tuple[datetime, str, str, Json]] = deque()
        self._news, self._closing = Event(), False
        self._thread = Thread(target=self._work, daemon=True, name="system events")
        self._thread.start()

    def note(self, kind: str, **detail: object) -> None:
        """Have an event written, with the present moment."""
        self._waiting.append((datetime.now(UTC), WRITER, kind, Json(detail)))
        self._news.set()

    def fault(self, step: FaultStep) -> None:
        """Have a step of a fault written."""
        what = {"fault": step.kind, "target": step.target, "node": step.node, "evidence": step.evidence}
        self.note(f"fault_{step.step}", **what)

    @property
    def left(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        """Write what waits, as long as that takes no longer than one deadline."""
        self._closing = True
        self._news.set()
        self._thread.join(DEADLINE_S + AGAIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while not (self._closing and not self._waiting):
            self._news.wait()
            self._news.clear()
            if not self._write():
                if self._closing:
                    break
                time.sleep(AGAIN_S)
                self._news.set()
        self._database.close()

    def _write(self) -> bool:
        """Whether everything that waited is written."""
        rows = list(self._waiting)
        if not rows:
            return True
        try:
            with self._database.transaction() as cursor:
                cursor.executemany(self._insert, rows)
        except (LabError, Error):
            return False
        for _ in rows:
            self._waiting.popleft()
        return True
