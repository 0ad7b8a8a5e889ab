"""Does the database take connections, and does it write? Asked as its clients ask, over a new connection each time."""

from __future__ import annotations

from contextlib import closing

import psycopg2

from factorylab.core.libpq import connect
from factorylab.core.vocabulary import DatabaseAnswer
from factorylab.factory.store.watchdog import Watchdog

WRITE = "CREATE TABLE probe (n int); INSERT INTO probe VALUES (1)"
"""Never committed. Not UNLOGGED: killed in one on a full disk, PostgreSQL 18 did not start again ("File exists")."""
ANSWER_S = 2  # libpq takes no less for connecting


def answer_of(url: str) -> DatabaseAnswer:
    """ok; refused: it answers that it takes nobody; full: it has no room to write; none: no answer in ANSWER_S."""
    try:
        with closing(connect(url, connect_timeout=ANSWER_S, application_name="factorylab-probe")) as connection:
            with (
                closing(Watchdog()) as watchdog,
                watchdog.cut_after(ANSWER_S, connection),
                connection.cursor() as cursor,
            ):
                cursor.execute(WRITE)
            connection.rollback()
    except psycopg2.errors.DiskFull:
        return "full"
    except psycopg2.Error as error:
        return "refused" if "FATAL" in str(error) else "none"
    return "ok"
