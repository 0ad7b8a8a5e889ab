"""How fast each part of the pipeline is by itself, and all of a processor's work together, on a PostgreSQL of its own.

    python -m tests.measure.pipeline                     300 sensors, 200,000 readings, 5 rounds
    python -m tests.measure.pipeline 3000 --rounds 3

Readings a second of wall time, median and range; the parts take turns in each round, so that what else the machine does
hits all alike. The raw COPY writes the same columns, in the same transactions, into a table without keys and indexes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import psycopg2
from rich.console import Console
from rich.table import Table

from factorylab.core import messages
from factorylab.core.messages import SENSOR_KINDS
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.owned_partition import Owned, Prepared
from factorylab.factory.sensors.simulate import Simulation
from factorylab.factory.store.connection import in_schema
from factorylab.factory.store.positions import Taken
from factorylab.factory.store.rows import copy
from factorylab.factory.store.schema import create_schema, drop_schema
from factorylab.factory.store.session import Session
from factorylab.factory.store.store import Store
from tests.support.databases import database

READINGS, BATCH, BLOCK = 200_000, 1_000, 2_000
STAMP = "2026-01-01T00:00:00.000000Z"
SCHEMA, TOPIC = "measured", "sensor-data"


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def simulate(sensors: int) -> list[tuple[bytes, bytes]]:
    """Key and value of each record, as a fleet sends them."""
    source = Simulation(sensors=sensors, kinds=SENSOR_KINDS, seed=1, anomaly_rate=0.02, index=0, count=1)
    pairs: list[tuple[bytes, bytes]] = []
    for first in range(0, READINGS, BLOCK):
        readings = source.block(first, BLOCK, STAMP).readings
        pairs += [(r.sensor_id.encode(), messages.encode(r)) for r in readings]
    return pairs


def polls(pairs: list[tuple[bytes, bytes]]) -> Iterator[Records]:
    for first in range(0, len(pairs), BATCH):
        part = pairs[first : first + BATCH]
        keys, values = [key for key, _ in part], [value for _, value in part]
        yield Records(0, np.arange(first, first + len(part)), list(keys), list(values))


def numbered(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    return {name: number for number, (name, _, _) in enumerate(sensors)}


def newcomer() -> Owned:
    return Owned.of(0, Taken(0, 1), 1)


def detect(owned: Owned, pairs: list[tuple[bytes, bytes]]) -> list[Prepared]:
    """Decode, check and score all, without a store."""
    return [owned.prepare(records, numbered) for records in polls(pairs)]


class Server:
    """The tables, empty for each part."""

    def __init__(self, url: str) -> None:
        self._url = url

    def emptied(self) -> Store:
        drop_schema(self._url, SCHEMA)
        create_schema(self._url, SCHEMA)
        with closing(psycopg2.connect(self._url)) as line, line, line.cursor() as cursor:
            cursor.execute("CREATE TABLE measured.plain (LIKE measured.readings)")
        return Store(self._url, SCHEMA, TOPIC, "measure", 60)

    def copy(self, prepared: list[Prepared]) -> Callable[[], None]:
        """The raw COPY."""
        self.emptied().close()
        session = Session(self._url, SCHEMA, "measure", 60)

        def run() -> None:
            table = in_schema(SCHEMA, "{plain}")
            for batch in prepared:
                with session.transaction() as cursor:
                    copy(cursor, table, batch.batch.readings)
            session.close()

        return run

    def store(self, prepared: list[Prepared]) -> Callable[[], None]:
        """Positions, detector state, readings and alerts, as a processor stores them."""
        store = self.emptied()
        store.take(0)
        names = [(f"sensor-{n}", "temperature", "hall") for n in range(10_000)]
        store.sensor_ids(names)

        def run() -> None:
            for batch in prepared:
                store.commit(batch.batch)
            store.close()

        return run

    def together(self, pairs: list[tuple[bytes, bytes]]) -> Callable[[], None]:
        """From the bytes of a poll to the committed transaction."""
        store = self.emptied()
        owned = Owned.of(0, store.take(0), 1)

        def run() -> None:
            for records in polls(pairs):
                store.commit(owned.prepare(records, store.sensor_ids).batch)
            store.close()

        return run


def timed(work: Callable[[], object], readings: int) -> float:
    """Readings a second."""
    began = time.perf_counter()
    work()
    return readings / (time.perf_counter() - began)


def measure(server: Server, sensors: int, rounds: int) -> tuple[dict[str, list[float]], float, float]:
    """Rates by part, and what the detectors of all sensors and the simulation of them keep in memory, in MB."""
    before = resident_mb()
    source = Simulation(sensors=sensors, kinds=SENSOR_KINDS, seed=1, anomaly_rate=0.02, index=0, count=1)
    source.block(0, BLOCK, STAMP)
    simulated_mb = resident_mb() - before
    pairs = simulate(sensors)
    owned = newcomer()
    detect(owned, pairs)
    state_mb = len(owned.detectors.dump()) / 1e6
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        prepared: list[Prepared] = []
        rates.setdefault("simulate and encode", []).append(timed(lambda: simulate(sensors), len(pairs)))
        rates.setdefault("decode, check, detect", []).append(
            timed(lambda into=prepared: into.extend(detect(newcomer(), pairs)), len(pairs))  # type: ignore[misc]
        )
        rates.setdefault("raw COPY", []).append(timed(server.copy(prepared), len(pairs)))
        rates.setdefault("store", []).append(timed(server.store(prepared), len(pairs)))
        rates.setdefault("a processor's work together", []).append(timed(server.together(pairs), len(pairs)))
    return rates, simulated_mb, state_mb


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("sensors", nargs="?", type=int, default=300)
    words.add_argument("--rounds", type=int, default=5)
    given = words.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, database(Path(folder) / "database") as url:
        rates, simulated_mb, state_mb = measure(Server(url), given.sensors, given.rounds)
    title = (
        f"{given.sensors:,} sensors, {READINGS:,} slots, batches of {BATCH:,}, n = {given.rounds}, load "
        f"{os.getloadavg()[0]:.1f}; simulation {simulated_mb:.1f} MB, state {state_mb:.2f} MB"
    )
    table = Table("part", "readings/s", "least", "most", title=title)
    for part, found in rates.items():
        table.add_row(part, *(f"{f:,.0f}" for f in (statistics.median(found), min(found), max(found))))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
