"""The store: readings, alerts and positions in PostgreSQL, exactly once in effect.

Rules:
- A batch is one transaction that begins by moving the position, from where the batch began, under the epoch that was
  taken. If another owner has moved on, nothing is written (`Fenced`; see `positions`).
- When an answer is lost, nobody can know whether the transaction counted. Taking the partition again tells: the
  position either moved or it did not.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from factorylab.factory.store import rows
from factorylab.factory.store.crash_points import reached
from factorylab.factory.store.positions import At, Positions, Taken
from factorylab.factory.store.rows import StoreBatch
from factorylab.factory.store.session import Session


class Store:
    """The tables of one schema, in the name of one owner of partitions of one topic. Not for several threads."""

    def __init__(self, url: str, schema: str, topic: str, owner: str, deadline_s: float) -> None:
        self._schema = schema
        self._session = Session(url, schema, owner, deadline_s)
        self._positions = Positions(schema, topic, owner)

    @property
    def ready(self) -> bool:
        """False for a moment after a failure."""
        return self._session.ready

    def take(self, partition: int, *, forgive: bool = False) -> Taken:
        """Become the owner of a partition; `forgive` takes back the last try. A former owner that is frozen inside a
        transaction loses its session."""
        try:
            return self._take(partition, int(forgive))
        except errors.LockNotAvailable:
            with self._session.transaction() as cursor:
                self._positions.end_session_of_owner(cursor, partition)
            return self._take(partition, int(forgive))

    def _take(self, partition: int, forgiven: int) -> Taken:
        with self._session.transaction() as cursor:
            return self._positions.take(cursor, partition, forgiven)

    def begin(self, at: At, to_offset: int) -> None:
        """Write down that these records are tried once more; a commit forgets it.

        A death of the process is what it must outlive, not one of the database: it need not wait for the disk.

        Raises:
            Fenced, StoreUnavailable: as `commit`.
        """
        with self._session.transaction() as cursor:
            cursor.execute("SELECT set_config('synchronous_commit', 'off', true)")
            self._positions.begin(cursor, at, to_offset)

    def sensor_ids(self, sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
        """The id of each (name, kind, location), by name; unknown ones are registered."""
        with self._session.transaction() as cursor:
            return rows.register(cursor, self._schema, sensors)

    def commit(self, batch: StoreBatch) -> int:
        """Write a batch; the number of readings that were new.

        Raises:
            Fenced: the partition has another owner or position; nothing was written.
            StoreUnavailable: it is unknown whether the batch was written.
        """
        try:
            with self._session.transaction() as cursor:
                self._move(cursor, batch)
                new = rows.insert(cursor, self._schema, batch.readings, batch.alerts)
                reached("in_store")
        except errors.UniqueViolation:
            with self._session.transaction() as cursor:
                self._move(cursor, batch)
                new = rows.insert_new(cursor, self._schema, batch.readings, batch.alerts)
        self._session.works()
        return new

    def _move(self, cursor: Cursor, batch: StoreBatch) -> None:
        at = At(batch.partition, batch.from_offset, batch.epoch)
        self._positions.move(cursor, at, batch.to_offset, batch.state)

    def note(self, kind: str, **detail: object) -> None:
        """Keep an event of the system and its time; it is written with the next transaction."""
        self._session.note(kind, **detail)

    def write_notes(self) -> None:
        """Write the events that are kept, in a transaction of their own."""
        with self._session.transaction():
            pass

    def close(self) -> None:
        self._session.close()
