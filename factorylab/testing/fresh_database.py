"""A database of a test's own on the lab's PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from secrets import token_hex
from urllib.parse import urlsplit

from psycopg2 import sql

from factorylab.core.libpq import connect


class DatabaseUrl(str):
    """The URL of a database, which is not shown: pytest prints the fixtures of a test that fails."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'postgresql://***'"


@contextmanager
def fresh_database(url: str) -> Iterator[DatabaseUrl]:
    """The URL of a new, empty database on the server of `url`; dropped afterwards, whoever is still connected.

    Raises:
        psycopg2.OperationalError: no server answers there.
    """
    name = f"test_{token_hex(4)}"
    _carry_out(url, "CREATE DATABASE {}", name)
    try:
        yield DatabaseUrl(urlsplit(url)._replace(path=f"/{name}").geturl())
    finally:
        _carry_out(url, "DROP DATABASE {} WITH (FORCE)", name)


def _carry_out(url: str, statement: str, name: str) -> None:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True  # neither statement runs inside a transaction
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
