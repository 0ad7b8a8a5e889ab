"""Positions of partitions in the store, with the detectors' state there, and who owns them.

Rules:
- Who is assigned a partition takes it: its epoch rises by one, and position and detector state come back.
- A position moves from where its owner believes it to be, under the epoch that was taken. If that touches no row,
  another owner has moved on (`Fenced`).
- The state moves with it, in parts (see `detectors.saved_state`): part 0 takes the place of all others, and
  later parts join them.

Each call is a step of a transaction that the caller makes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from factorylab.core.errors import LabError
from factorylab.detectors.saved_state import Part
from factorylab.factory.store.connection import APPLICATION, in_schema
from factorylab.factory.store.copy_binary import FROM_STDIN, copy_row

LOCK_S = 2  # a living owner holds a position for milliseconds


class Fenced(LabError):
    """Another owner has taken the partition, or moved its position: nothing was written."""


@dataclass(frozen=True)
class Taken:
    """A partition as it was taken: read from `next_offset` on, with the parts of the detectors' `state` there.

    `takes` counts since the last batch that was stored; `tries` how often the records up to `tried_to` were begun.
    """

    next_offset: int
    epoch: int
    state: Sequence[bytes] = ()
    takes: int = 0
    tries: int = 0
    tried_to: int = 0


@dataclass(frozen=True)
class At:
    """Where an owner believes a partition to stand."""

    partition: int
    offset: int
    epoch: int


class Positions:
    """Those of one topic, in the name of one owner."""

    def __init__(self, schema: str, topic: str, owner: str) -> None:
        self._schema, self._topic, self._owner = schema, topic, owner

    def take(self, cursor: Cursor, partition: int, forgiven: int) -> Taken:
        """Become the owner; `forgiven` tries are taken back.

        Raises:
            psycopg2.errors.LockNotAvailable: a former owner is inside a transaction for longer than LOCK_S.
        """
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_S}s",))
        cursor.execute(
            in_schema(
                self._schema,
                "INSERT INTO {positions} AS p (topic, partition, next_offset, owner_epoch, owner, owner_backend, takes)"
                " VALUES (%s, %s, 0, 1, %s, pg_backend_pid(), 1) ON CONFLICT (topic, partition) DO UPDATE"
                " SET owner_epoch = p.owner_epoch + 1, owner = excluded.owner,"
                " owner_backend = excluded.owner_backend, takes = p.takes + 1, tries = greatest(p.tries - %s, 0)"
                " RETURNING next_offset, owner_epoch, takes, tries, tried_to",
            ),
            (self._topic, partition, self._owner, forgiven),
        )
        next_offset, epoch, *retry = cursor.fetchone() or (0, 0, 0, 0, 0)
        cursor.execute(
            in_schema(
                self._schema, "SELECT data FROM {detector_state} WHERE topic = %s AND partition = %s ORDER BY part"
            ),
            (self._topic, partition),
        )
        return Taken(next_offset, epoch, [bytes(data) for (data,) in cursor.fetchall()], *retry)

    def end_session_of_owner(self, cursor: Cursor, partition: int) -> None:
        """Free a position that a frozen owner has locked."""
        cursor.execute(
            in_schema(
                self._schema,
                "SELECT pg_terminate_backend(a.pid) FROM {positions} AS p JOIN pg_stat_activity AS a"
                " ON a.pid = p.owner_backend AND a.application_name = %s || p.owner"
                " WHERE p.topic = %s AND p.partition = %s AND a.pid <> pg_backend_pid()",
            ),
            (APPLICATION, self._topic, partition),
        )

    def begin(self, cursor: Cursor, at: At, to_offset: int) -> None:
        """Write down that the records up to `to_offset` are tried once more.

        Raises:
            Fenced: as `move`.
        """
        self._update(
            cursor,
            "tries = CASE WHEN tried_to = %s THEN tries ELSE 0 END + 1, tried_to = %s",
            (to_offset, to_offset),
            at,
        )

    def move(self, cursor: Cursor, at: At, to_offset: int, state: Part) -> None:
        """Move a position from `at` to `to_offset`, where the detectors have this state.

        Raises:
            Fenced: the partition has another owner or position.
        """
        self._update(cursor, "next_offset = %s, takes = 0, tries = 0, tried_to = 0", (to_offset,), at)
        where = self._topic, at.partition
        if state.number == 0:
            delete = "DELETE FROM {detector_state} WHERE topic = %s AND partition = %s"
            cursor.execute(in_schema(self._schema, delete), where)
        statement = in_schema(self._schema, "COPY {detector_state} (topic, partition, part, data)" + FROM_STDIN)
        cursor.copy_expert(statement, io.BytesIO(copy_row(self._topic, at.partition, *state)))

    def _update(self, cursor: Cursor, change: LiteralString, values: tuple[object, ...], at: At) -> None:
        """Change the row of a position, which must be where its owner believes it to be: the fence."""
        fence = " WHERE topic = %s AND partition = %s AND next_offset = %s AND owner_epoch = %s"
        statement = in_schema(self._schema, "UPDATE {positions} SET ") + sql.SQL(change) + sql.SQL(fence)
        cursor.execute(statement, (*values, self._topic, at.partition, at.offset, at.epoch))
        if cursor.rowcount != 1:
            expected = f"position {at.offset} under epoch {at.epoch}"
            raise Fenced(f"partition {at.partition} is no longer ours: it is not at {expected}")
