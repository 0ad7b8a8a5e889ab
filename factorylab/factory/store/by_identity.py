"""The store of a share group: readings once each, by their identity.

Nobody owns a partition there, and records come in any order and again, so no position can be a fence. What takes its
place is the primary key of the table `readings`, (sensor, seq): whoever stores a reading again changes nothing. So a
transaction whose answer was lost is simply made once more, by this worker or another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import errors

from factorylab.factory.store import rows
from factorylab.factory.store.copy_binary import Columns
from factorylab.factory.store.crash_points import reached
from factorylab.factory.store.session import Session


class IdentityStore:
    """The tables of one schema, in the name of one worker. Not for several threads.

    Every method raises StoreUnavailable where it is unknown whether the transaction counted.
    """

    def __init__(self, url: str, schema: str, worker: str, deadline_s: float) -> None:
        self._schema = schema
        self._session = Session(url, schema, worker, deadline_s)

    @property
    def ready(self) -> bool:
        """False for a moment after a failure."""
        return self._session.ready

    def sensor_ids(self, sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
        """The id of each (name, kind, location), by name; unknown ones are registered."""
        with self._session.transaction() as cursor:
            return rows.register(cursor, self._schema, sensors)

    def commit(self, readings: Sequence[Columns]) -> int:
        """Write readings in one transaction; how many were new. Those that are there stay as they are."""
        try:
            with self._session.transaction() as cursor:
                new = rows.insert(cursor, self._schema, readings)
                reached("in_store")
        except errors.UniqueViolation:
            with self._session.transaction() as cursor:
                new = rows.insert_new(cursor, self._schema, readings)
        self._session.works()
        return new

    def note(self, kind: str, **detail: object) -> None:
        """Keep an event of the system and its time; it is written with the next transaction."""
        self._session.note(kind, **detail)

    def close(self) -> None:
        self._session.close()
