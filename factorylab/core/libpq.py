"""Connections to PostgreSQL that are what their URL says.

libpq fills what a URL leaves open from variables of the environment: PGHOSTADDR leads to another server, PGOPTIONS and
PGTZ change what it answers, PGSERVICE needs a file. So none of them (they all begin with PG) is there while a
connection is made. What somebody needs of them can stand in the URL, as in `?sslmode=require`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import make_dsn

_hiding = Lock()
_hidden: dict[str, str] = {}
_inside = 0


def connect(url: str, **options: str | int) -> Connection:
    """A connection to `url` (with or without SQLAlchemy's name of the driver); `options` are libpq's and win over it.

    Raises:
        psycopg2.OperationalError: no server answers there, or it refuses.
    """
    with _without_variables():
        return psycopg2.connect(make_dsn(plain(url), **options))


def plain(url: str) -> str:
    """A database URL without SQLAlchemy's name of the driver."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)


@contextmanager
def _without_variables() -> Iterator[None]:
    """Hide libpq's variables; the last of several threads that connect at once brings them back."""
    global _inside  # noqa: PLW0603
    with _hiding:
        _hidden.update({name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")})
        _inside += 1
    try:
        yield
    finally:
        with _hiding:
            _inside -= 1
            if not _inside:
                os.environ.update(_hidden)
                _hidden.clear()
