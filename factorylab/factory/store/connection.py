"""A connection to PostgreSQL that never hangs: one transaction at a time, cut off when it takes too long.

Rules:
- The connection is made when it is first needed, and again after it broke.
- A call that hangs (a frozen server answers nothing, and no server-side timeout helps) is cut by a watchdog
  that shuts the socket down.
- What breaks a connection is `StoreUnavailable`: it may pass. Tables that are missing, or that this account must not
  use, are `SchemaMissing`: that does not pass by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from string import Formatter
from typing import LiteralString

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from factorylab.core import secret
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.libpq import connect
from factorylab.factory.store.watchdog import Watchdog

CONNECT_S = 5
APPLICATION = "factorylab-"
WAY_OUT = (
    "start a processor with an account that may create the tables, or GRANT CREATE ON DATABASE to this one; "
    "FACTORYLAB_DB_SCHEMA names another schema"
)
NO_TABLES = (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege)


class StoreUnavailable(LabError):
    """The database does not answer, or broke the connection. Whether a transaction counted is unknown."""


class SchemaMissing(EnvironmentUnfit):
    """Tables are missing and cannot be created, or this account must not use them."""


class Database:
    """One connection in the name of `owner`. Not for several threads."""

    def __init__(self, url: str, owner: str, deadline_s: float) -> None:
        self._url, self._owner, self._deadline_s = url, owner, deadline_s
        self._connection: Connection | None = None
        self._watchdog = Watchdog()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = connect(
                self._url,
                connect_timeout=min(CONNECT_S, int(self._deadline_s)),
                application_name=APPLICATION + self._owner,
            )
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction; a broken or cut connection is dropped and reported as StoreUnavailable.

        It ends within the deadline, the time to connect included.
        """
        ends_s = time.monotonic() + self._deadline_s
        try:
            connection = self._connect()
            with (
                self._watchdog.cut_after(ends_s - time.monotonic(), connection),
                connection,
                connection.cursor() as cursor,
            ):
                yield cursor
        except errors.LockNotAvailable:  # an OperationalError, but the connection is well
            raise
        except NO_TABLES as error:
            raise SchemaMissing(f"a table is missing or forbidden: {one_line(error)}; {WAY_OUT}") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self.close()
            raise StoreUnavailable(f"database: {one_line(_first(error))}") from error

    def close(self) -> None:
        self._watchdog.close()
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


def in_schema(schema: str, text: LiteralString) -> sql.Composed:
    """A statement in which each {name} stands for that table of the schema."""
    names = {name: sql.Identifier(schema, name) for _, name, _, _ in Formatter().parse(text) if name}
    return sql.SQL(text).format(**names)


def _first(error: BaseException) -> BaseException:
    """What broke the connection, and not what came of using it afterwards."""
    return _first(error.__context__) if isinstance(error.__context__, psycopg2.OperationalError) else error


def one_line(error: BaseException | None) -> str:
    return secret.clean(" ".join(str(error).split())) or type(error).__name__
