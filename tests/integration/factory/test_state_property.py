"""The state of the detectors on the real store: whatever the batches and owners, the alerts are those of one pass.

A seed makes a log of one partition and a random history of it: several owners, of whom some believe to own what they
lost, take it, read pieces of any size, die before a commit or after it, hear no answer, are paused between preparing
and committing. It uses the public way of a processor (`Owned.prepare`, `Store`), so whatever detectors there are, are
tested. A failure names its seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import psycopg2
import pytest

from factorylab.core import messages
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.owned_partition import Owned, Prepared
from factorylab.factory.store.positions import Fenced, Taken
from factorylab.factory.store.schema import create_schema, drop_schema
from factorylab.factory.store.store import Store

SEEDS = range(12)
RECORDS = 3_000
USUAL = {"temperature_c": 70.0, "velocity_mm_s": 2.0, "acceleration_g": 0.06, "crest_factor": 3.5, "kurtosis": 2.9,
         "load_percent": 60.0, "energy_kwh": 50.0}  # fmt: skip
START_US = 1_700_000_000_000_000


# ---- a log


def series(dice: np.random.Generator, usual: float, count: int) -> list[float]:
    """A measure that is healthy most of the time, with spikes, steps, ramps, stuck stretches and excesses."""
    values = usual * (1 + 0.03 * dice.standard_normal(count))
    for _ in range(max(1, count // 60)):
        at, lasts = int(dice.integers(count)), int(dice.integers(1, 60))
        part = values[at : at + lasts]
        match int(dice.integers(6)):
            case 0:
                part[:] = usual * dice.uniform(1.1, 3)
            case 1:
                part += usual * np.linspace(0, dice.uniform(0.2, 1.5), len(part))
            case 2:
                part[:] = part[0]
            case 3:
                part[:1] *= dice.uniform(1.5, 6)
            case 4:
                part *= dice.uniform(0, 0.8)
            case _:
                part += usual * 0.4 * dice.standard_normal(len(part))
    return np.maximum(values, 0.0).tolist()


def measures(dice: np.random.Generator, kind: str, count: int) -> Iterator[messages.Measures]:
    """Measures of one sensor, whatever fields its kind has."""
    made: dict[str, list[Any]] = {}
    for spec in msgspec.structs.fields(messages.CONSTRUCTORS[kind][1]):
        if spec.name == "running":
            made[spec.name] = (dice.random(count // 40 + 1).repeat(40)[:count] < 0.7).tolist()
        elif spec.name == "hour_of_week":
            made[spec.name] = (np.arange(count) // 4 % 168).tolist()
        else:
            made[spec.name] = series(dice, USUAL.get(spec.name, 1.0), count)
    for row in zip(*made.values(), strict=True):
        yield messages.CONSTRUCTORS[kind][1](**dict(zip(made, row, strict=True)))


def a_log(seed: int) -> Records:
    """Readings of a sensor of each kind and a second one of temperature, interleaved; some missing, some twice, some
    late, some no readings at all."""
    dice, chance = np.random.default_rng(seed), random.Random(seed)
    kinds = [*messages.SENSOR_KINDS, "temperature"]
    each = RECORDS // len(kinds)
    streams = []
    for number, kind in enumerate(kinds):
        name = f"p{seed}-{kind}-{number}"
        stream = []
        for seq, measured in enumerate(measures(dice, kind, each)):
            stamp = messages.timestamp_text(START_US + seq * 900_000_000 + number)
            made = messages.CONSTRUCTORS[kind][0](
                timestamp=stamp, sensor_id=name, location="hall", seq=seq, readings=measured
            )
            stream.append((name.encode(), messages.encode(made)))
        streams.append(iter(stream))
    pairs: list[tuple[bytes, bytes]] = []
    while streams:
        stream_ = chance.choice(streams)
        pair = next(stream_, None)
        if pair is None:
            streams.remove(stream_)
        elif (dice_roll := chance.random()) < 0.94:
            pairs.append(pair)
        elif dice_roll < 0.96 and pairs:
            pairs += [pair, chance.choice(pairs[-200:])]
        elif dice_roll < 0.98:
            pairs.insert(max(0, len(pairs) - chance.randint(1, 30)), pair)
        elif dice_roll < 0.99:
            pairs += [pair, (pair[0], pair[1][: chance.randint(0, 60)])]
    offsets = np.cumsum([chance.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 2]) for _ in pairs]) - 1
    return Records(0, offsets, [key for key, _ in pairs], [value for _, value in pairs])


# ---- a history


@dataclass
class Owner:
    """A processor as far as its partition goes; what it believes may be wrong."""

    store: Store
    owned: Owned | None = None
    unsettled: Prepared | None = None


@dataclass
class History:
    """A random life of the log. `handed` are the alerts that went out to the topic, repeats included."""

    log: Records
    dice: random.Random
    owners: list[Owner]
    handed: list[messages.Alert] = field(default_factory=list)
    stored_to: int = 0
    refused: int = 0
    parts_most: int = 0  # of the state, in one take

    def play(self) -> None:
        """Until all of the log is stored."""
        steps = {self._take: 2, self._work: 12, self._settle: 6, self._give_up: 1, self._die: 1}
        while self.stored_to <= self.log.last_offset:
            step = self.dice.choices(list(steps), list(steps.values()))[0]
            step(self.dice.choice(self.owners))

    def _take(self, owner: Owner) -> None:
        taken = owner.store.take(0, forgive=self.dice.random() < 0.5)
        self.parts_most = max(self.parts_most, len(taken.state))
        owner.owned = Owned.of(0, taken, 1)
        owner.unsettled = None

    def _work(self, owner: Owner) -> None:
        """Prepare the next records and hand out their alerts; the commit may come at once, later or never."""
        if owner.owned is None or owner.unsettled is not None:
            return
        ahead = self.log.since(owner.owned.next_offset)
        if ahead is None:
            return
        piece = ahead.part(0, self.dice.choice([1, 2, 7, 40, 150, 600]))
        if self.dice.random() < 0.2:
            with suppress(Fenced):
                owner.store.begin(owner.owned.at, piece.last_offset + 1)
        owner.unsettled = owner.owned.prepare(piece, owner.store.sensor_ids)
        self.handed += owner.unsettled.alerts
        if self.dice.random() < 0.7:
            self._settle(owner)

    def _settle(self, owner: Owner) -> None:
        prepared, owner.unsettled = owner.unsettled, None
        if prepared is None:
            return
        try:
            owner.store.commit(prepared.batch)
        except Fenced:
            self.refused += 1
            owner.owned = None
            return
        self.stored_to = max(self.stored_to, prepared.batch.to_offset)
        if self.dice.random() < 0.1:  # the answer got lost: nobody told the owner that it counted
            owner.owned = None

    def _give_up(self, owner: Owner) -> None:
        owner.owned, owner.unsettled = None, None

    def _die(self, owner: Owner) -> None:
        """A new process in its place, with a connection of its own."""
        self._give_up(owner)
        owner.store.close()


# ---- the claim


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[tuple[str, str]]:
    """URL and schema of tables of this module's own."""
    schema = "state_property"
    create_schema(database_url, schema)
    yield database_url, schema
    drop_schema(database_url, schema)


def one_pass(log: Records) -> Prepared:
    """The whole log in one batch of one process."""

    def ids(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
        return {name: 1 for name, _, _ in sensors}

    return Owned.of(0, Taken(0, 1), 1).prepare(log, ids)


def content(alert: messages.Alert) -> tuple[object, ...]:
    return alert.alert_id, alert.seq, alert.rule, alert.severity, pytest.approx(alert.value), alert.limit


def check(seed: int, url: str, schema: str) -> tuple[int, int, int]:
    """Play the history of a seed; the numbers of alerts, of refused batches, and of parts that a state was restored
    from at most."""
    log = a_log(seed)
    expected = one_pass(log)
    owners = [Owner(Store(url, schema, f"log-{seed}", f"owner-{n}", 30)) for n in range(3)]
    history = History(log, random.Random(seed), owners)
    history.play()
    for owner in owners:
        owner.store.close()
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT alert_id, seq, rule, severity, value, limit_value FROM {schema}.alerts"  # noqa: S608
            " WHERE alert_id LIKE %s ORDER BY alert_id",
            (f"p{seed}-%",),
        )
        table = cursor.fetchall()
        cursor.execute(
            f"SELECT count(*) FROM {schema}.readings JOIN {schema}.sensors s ON s.id = sensor_id"  # noqa: S608
            " WHERE s.name LIKE %s",
            (f"p{seed}-%",),
        )
        rows = cursor.fetchone()
    wanted = sorted(map(content, expected.alerts), key=lambda row: str(row[0]))
    assert table == wanted, f"seed {seed}: the table holds other alerts than one pass gives"
    handed = {alert.alert_id: alert for alert in history.handed}
    topic = sorted(map(content, handed.values()), key=lambda row: str(row[0]))
    assert topic == wanted, f"seed {seed}: other alerts were handed out than one pass gives"
    readings = {value for value in log.values if value and value.endswith(b"}}")}
    assert rows == (len(readings),), f"seed {seed}: readings are missing or doubled"
    return len(wanted), history.refused, history.parts_most


@pytest.mark.parametrize("seed", SEEDS)
def test_any_history_gives_the_alerts_of_one_pass(database: tuple[str, str], seed: int) -> None:
    """Alerts in the table, and those handed out, are exactly those of one uninterrupted process over the same log."""
    alerts, refused, parts = check(seed, *database)
    assert alerts > 20 and refused > 0 and parts > 1


def test_the_logs_raise_alerts_of_every_kind() -> None:
    """The logs raise alerts by sensors of all kinds and by many rules, and hold bad records: else little was shown."""
    seen = [one_pass(a_log(seed)) for seed in SEEDS]
    alerts = [alert for prepared in seen for alert in prepared.alerts]
    assert {alert.sensor_id.split("-")[1] for alert in alerts} == set(messages.SENSOR_KINDS)
    assert len({alert.rule for alert in alerts}) >= 4
    assert all(prepared.dead_letters for prepared in seen)
