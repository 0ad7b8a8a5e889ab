"""What it costs to save the detectors' state with each batch: bytes, write-ahead log, time.

    python -m tests.measure.state 5          # so many runs of each case, interleaved
    python -m tests.measure.state 5 none     # with an empty state: what readings and alerts cost alone

One partition, a third of its sensors of each kind, all of them after a week, so that an energy sensor has seen every
hour of the week stopped and running. Each reading of a sensor is followed by one of every other. A run stores READINGS
(rounded up to batches), so saves of all kinds are in it. PostgreSQL is one of its own with the lab's settings.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import psycopg2

from factorylab.core import messages
from factorylab.detectors.partition_detectors import PartitionDetectors
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.sensors.sensor import SensorInfo
from factorylab.factory.sensors.simulate import Simulation
from factorylab.factory.store.schema import create_schema, drop_schema
from factorylab.factory.store.store import Store
from tests.support.databases import database
from tests.support.places import ROOT

CASES = [(sensors, batch) for sensors in (300, 3_000) for batch in (500, 5_000)]
READINGS = 120_000
WEEK = 672  # readings of an energy sensor
SCHEMA = "measured"
STAMP = "2026-01-05T00:00:00.000000Z"


@dataclass
class Measured:
    """Of one run, a batch each: medians, but means of what is written, since not every batch writes alike."""

    state_kb: float
    wal_kb: float
    prepare_ms: float
    store_ms: float
    slowest_ms: float


def learn_a_week(detectors: PartitionDetectors, sensors: list[SensorInfo]) -> None:
    """Let the detectors see what all sensors report in a week, with every hour of it in both states of the machine."""
    dice = np.random.default_rng(1)
    for kind in messages.SENSOR_KINDS:
        slots = detectors.slots([sensor.name for sensor in sensors if sensor.kind == kind])
        for seq in range(WEEK):
            count = len(slots)
            columns = {
                name: usual + dice.normal(0, usual / 50, count)
                for name, usual in {
                    "temperature_c": 70, "velocity_mm_s": 2, "acceleration_g": 0.06, "crest_factor": 3.5,
                    "kurtosis": 2.9, "energy_kwh": 50,
                }.items()
            }  # fmt: skip
            columns["load_percent"] = dice.uniform(40, 100, count)
            columns |= {"running": np.full(count, seq % 2 == 0), "hour_of_week": np.full(count, seq // 4)}
            columns["seq"] = np.full(count, seq)
            detectors.fresh(slots, columns["seq"])
            detectors.score(kind, slots, columns)


def batches(source: Simulation, size: int) -> Iterator[Records]:
    """Readings from the second week on, encoded, in batches of `size` records."""
    first = WEEK * len(source.sensors)
    for at in range(0, READINGS, size):
        made = source.block(first + at, size, STAMP).readings  # a few less, where a sensor is silent
        keys: list[bytes | None] = [reading.sensor_id.encode() for reading in made]
        values: list[bytes | None] = [messages.encode(reading) for reading in made]
        yield Records(0, np.arange(at, at + len(made)), keys, values)


def run(url: str, sensors: int, size: int, *, stateless: bool) -> Measured:
    create_schema(url, SCHEMA)
    source = Simulation(sensors=sensors, kinds=messages.SENSOR_KINDS, seed=1, anomaly_rate=0.02, index=0, count=1)
    prepare_s, store_s, state_bytes, wal_bytes = [], [], [], []
    with closing(psycopg2.connect(url)) as other, closing(Store(url, SCHEMA, "t", "p", 60)) as store:
        other.autocommit = True
        cursor = other.cursor()
        owned = Owned.of(0, store.take(0), 1)
        learn_a_week(owned.detectors, list(source.sensors))
        cursor.execute("CHECKPOINT")
        for number, records in enumerate(batches(source, size)):
            cursor.execute("SELECT pg_current_wal_lsn() - '0/0'")
            (before,) = cursor.fetchone() or (0,)
            began = time.perf_counter()
            batch = owned.prepare(records, store.sensor_ids).batch
            if stateless:
                batch = replace(batch, state=batch.state._replace(data=b""))
            prepared = time.perf_counter()
            store.commit(batch)
            ended = time.perf_counter()
            if number:  # the first one registers the sensors
                cursor.execute("SELECT pg_current_wal_lsn() - '0/0'")
                (after,) = cursor.fetchone() or (0,)
                prepare_s.append(prepared - began)
                store_s.append(ended - prepared)
                state_bytes.append(len(batch.state.data))
                wal_bytes.append(float(after - before))
    drop_schema(url, SCHEMA)
    return Measured(
        statistics.mean(state_bytes) / 1e3,
        statistics.mean(wal_bytes) / 1e3,
        statistics.median(prepare_s) * 1e3,
        statistics.median(store_s) * 1e3,
        max(store_s) * 1e3,
    )


def median_and_range(values: list[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f}–{max(values):,.1f})"


def main() -> None:
    runs, stateless = int(sys.argv[1]), sys.argv[2:] == ["none"]
    found = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=ROOT) as scratch:
        Path(scratch).chmod(0o755)
        folder = Path(scratch) / "database"
        with database(folder) as url:
            for _ in range(runs):
                for case in CASES:
                    found[case].append(astuple(run(url, *case, stateless=stateless)))
    print(f"medians and ranges of {runs} runs")
    print("| sensors | readings | state, kB | WAL, kB | WAL a reading, B | prepare, ms | store, ms | slowest, ms |")
    for (sensors, size), rows in found.items():
        state, wal, prepare, store, slowest = zip(*rows, strict=True)
        cells = [state, wal, [kb * 1e3 / size for kb in wal], prepare, store, slowest]
        print(f"| {sensors:,} | {size:,} | " + " | ".join(median_and_range(list(cell)) for cell in cells) + " |")


if __name__ == "__main__":
    main()
