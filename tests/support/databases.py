"""A PostgreSQL of the tests' own, without brokers: it is ready in less than a second."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2

from factorylab.cluster.database_address import url_of
from factorylab.cluster.local import postgres
from factorylab.cluster.local.child import spawn
from factorylab.cluster.settings import load_settings
from factorylab.core.waiting import wait_until
from factorylab.detectors.saved_state import Part
from factorylab.factory.store.copy_binary import POSTGRES_EPOCH_US
from factorylab.factory.store.rows import AlertRow, StoreBatch

PASSWORD = "of-a-test"


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps its data in `folder` and is gone afterwards."""
    server = postgres.prepare(postgres.find(load_settings().postgres_bin), folder)
    server.initialise(PASSWORD)
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    log = folder.with_name("database.log")
    url = url_of(port, PASSWORD)
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


def batch(from_offset: int, to_offset: int, epoch: int) -> StoreBatch:
    """Vibration readings of sensor 1 and one alert; offsets are seqs."""
    seq = np.arange(from_offset, to_offset)
    columns = {
        "sensor_id": np.full(len(seq), 1, np.int32),
        "seq": seq,
        "recorded_at": np.full(len(seq), 1_700_000_000_000_000 - POSTGRES_EPOCH_US),
        "partition": np.zeros(len(seq), np.int16),
        "record_offset": seq,
        "kurtosis": np.full(len(seq), 3.0),
    }
    alert = AlertRow("b", 1, from_offset, "r", "warning", 3.0, 2.0, "2023-11-14T22:13:20Z", "c")
    return StoreBatch(0, from_offset, to_offset, epoch, Part(0, b"state"), [columns], [alert])
