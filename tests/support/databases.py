"""A PostgreSQL of the tests' own, without brokers: it is ready in less than a second."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from factorylab.cluster.local import postgres
from factorylab.cluster.settings import load_settings
from factorylab.cluster.supervisor.processes import spawn
from factorylab.core.waiting import wait_until

PASSWORD = "of-a-test"


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps its data in `folder` and is gone afterwards."""
    server = postgres.prepare(postgres.find(load_settings().postgres_bin), folder)
    server.initialise(PASSWORD)
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    log = folder.with_name("database.log")
    url = postgres.url(port, PASSWORD)
    entry = spawn(server.child(port, log))
    try:
        wait_until(lambda: answers(url), what="PostgreSQL", timeout_s=30, last_seen=log.read_text)
        yield url
    finally:
        entry.signal(signal.SIGINT)
        entry.process.wait(30)


def answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


@dataclass(frozen=True)
class Place:
    """A schema of a database, be it there or not."""

    url: str
    name: str

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query, committed; {s} is the schema."""
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query.format(s=self.name))
            return cursor.fetchall() if cursor.description else []
