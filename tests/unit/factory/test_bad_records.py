"""Every kind of bad record: stored or dead-lettered, never both, never neither, and the rest of its batch unharmed."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from psycopg2.errors import DataError

from factorylab.cluster.local.backend import LocalCluster
from factorylab.factory.processor.intake import Records, take_in
from factorylab.factory.processor.outbox import RECORD_MAX
from factorylab.factory.processor.partition import Owned
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.positions import Taken
from factorylab.factory.store.store import Store
from tests.support.factory_runs import FactoryRun, factory_run
from tests.unit.factory.test_factory_units import BAD, wire

Pair = tuple[bytes | None, bytes | None]
Fate = Literal["stored", "dead", "known"]  # known: the store holds the same reading already
GOOD = json.loads(wire()[1])


def without(field: str) -> Pair:
    return b"s-1", json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


def raw(old: bytes, new: bytes) -> Pair:
    return b"s-1", wire(seq=900)[1].replace(old, new)


CASES: dict[str, tuple[Pair, Fate]] = {
    **{name: (pair, "dead") for name, pair in BAD.items()},
    **{f"without {field}": (without(field), "dead") for field in GOOD},
    "half a record": ((b"s-1", wire()[1][:40]), "dead"),
    "two records in one": ((b"s-1", wire()[1] * 2), "dead"),
    "a byte order mark": ((b"s-1", b"\xef\xbb\xbf" + wire()[1]), "dead"),
    "UTF-16": ((b"s-1", wire()[1].decode().encode("utf-16")), "dead"),
    "-Infinity": (raw(b"70.5", b"-Infinity"), "dead"),
    "infinite by its exponent, negative": (raw(b"70.5", b"-1e999"), "dead"),
    "a number as text": (wire(readings={"temperature_c": "70.5"}), "dead"),
    "a truth value as a number": (wire(readings={"temperature_c": True}), "dead"),
    "null": (wire(readings={"temperature_c": None}), "dead"),
    "below absolute zero": (wire(readings={"temperature_c": -273.16}), "dead"),
    "a measure too many": (wire(readings={"temperature_c": 1.0, "humidity": 1.0}), "dead"),
    "seq negative": (wire(seq=-1), "dead"),
    "seq a fraction": (wire(seq=1.5), "dead"),
    "an id that is empty": (wire(sensor_id=""), "dead"),
    "an id that is too long": (wire(sensor_id="s" * 201), "dead"),
    "a lone surrogate in the id": ((b"\xed\xa0\x80", raw(b'"s-1"', b'"\\ud800"')[1]), "dead"),
    "NUL as an escape": (raw(b"line-1", b"l\\u0000"), "dead"),
    "NUL as a byte": (raw(b"line-1", b"l\0"), "dead"),
    "ancient": (wire(timestamp="0001-01-01T00:00:00Z"), "dead"),
    "before 1970": (wire(timestamp="1969-12-31T23:59:59.999999Z"), "dead"),
    "the year 10000": (wire(timestamp="10000-01-01T00:00:00Z"), "dead"),
    "another zone of time": (wire(timestamp="2024-01-01T00:00:00+02:00"), "dead"),
    "no zone of time": (wire(timestamp="2024-01-01T00:00:00"), "dead"),
    "the 30th of February": (wire(timestamp="2024-02-30T00:00:00Z"), "dead"),
    "a leap second": (wire(timestamp="2016-12-31T23:59:60Z"), "dead"),
    "as large as a record can be": ((b"s-1", b"x" * 1_040_000), "dead"),
    "a key as large as a record can be": ((b"k" * 1_040_000, b"x"), "dead"),
    "an unknown sensor": (wire(sensor_id="never heard of", seq=0), "stored"),
    "an id in another script": (wire(sensor_id="датчик-\U0001f321", seq=0), "stored"),
    "old": (wire(seq=901, timestamp="1970-01-01T00:00:00Z"), "stored"),
    "from the future, but this century": (wire(seq=902, timestamp="2099-12-31T23:59:59.999999Z"), "stored"),
    "the largest seq": (wire(sensor_id="s-max", seq=2**63 - 1), "stored"),
    "a number too small to tell from 0": (wire(seq=903, readings={"temperature_c": 1e-320}), "stored"),
    "an unknown field beside the known ones": (wire(seq=904, quality="good"), "stored"),
    "out of order": (wire(seq=905, sensor_id="s-late"), "stored"),
    "out of order, and late": (wire(seq=5, sensor_id="s-late"), "stored"),
    "a stamp before its predecessor's": (wire(seq=906, timestamp="2023-01-01T00:00:00Z"), "stored"),
    "a duplicate": (wire(seq=3), "known"),
    "a duplicate with other content": (wire(seq=3, readings={"temperature_c": 12.0}), "known"),
}


def beside_good_ones(pairs: Iterable[Pair]) -> list[Pair]:
    """Each between two good readings of its own."""
    good = iter([wire(seq=n) for n in range(899)])
    return [one for pair in pairs for one in (next(good), pair)] + [next(good)]


def records(pairs: list[Pair], first: int = 0) -> Records:
    keys, values = zip(*pairs, strict=True)
    return Records(0, np.arange(first, first + len(pairs)), list(keys), list(values))


@pytest.mark.parametrize("what", CASES)
def test_each_record_has_one_fate(what: str) -> None:
    """A record is a reading or a bad record by the table above, with key and bytes untouched, and its neighbours are
    readings."""
    pair, fate = CASES[what]
    taken = take_in(records([wire(seq=1), pair, wire(seq=2)], first=10))
    bad = [(one.offset, one.key, one.value) for one in taken.bad]
    assert bad == ([(11, *pair)] if fate == "dead" else [])
    assert taken.at.tolist() == ([0, 2] if fate == "dead" else [0, 1, 2])


# ---- fuzz


def mutated(dice: random.Random, pair: tuple[bytes, bytes]) -> Pair:
    """A good record with a few random wounds: bytes changed, cut, doubled, or a token replaced by a nasty one."""
    key, value = pair
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.choices(range(len(value) + 1), k=2))
        value = dice.choice([
            lambda v=value, a=at, b=to: v[:a] + dice.randbytes(dice.randint(0, 4)) + v[b:],
            lambda v=value, a=at: v[:a] + bytes([dice.randrange(256)]) + v[a + 1 :],
            lambda v=value, a=at, b=to: v[:b] + v[a:],
            lambda v=value, a=at: v[:a] + dice.choice(NASTY) + v[a:],
            lambda v=value: v.replace(dice.choice(TOKENS), dice.choice(NASTY), 1),
        ])()  # fmt: skip
    if dice.random() < 0.2:
        key = dice.choice([None, b"", b"\0", dice.randbytes(5), key + b"x"])
    return key, dice.choice([value, value, value, value, None, b"", dice.randbytes(dice.randint(1, 60))])


TOKENS = (
    b"70.5",
    b"0",
    b'"s-1"',
    b'"line-1"',
    b'"temperature"',
    b'"2024-01-01T00:00:00Z"',
    b":",
    b",",
    b"{",
    b"}",
    b'"',
)
NASTY = (
    *(b"NaN", b"-Infinity", b"1e309", b"-0", b"1E-400", b"null", b"true", b"[]", b"{}", b'""', b"1" * 400, b"\\"),
    *(b"9223372036854775808", b"9223372036854775807", b"[" * 600, b'{"a":' * 600),
    *(b'"\\u0000"', b"\0", b'"\\ud800"', b'"\\udc00\\ud800"', b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe"),
    *(b'"2100-01-01T00:00:00Z"', b'"0000-00-00T00:00:00Z"', b'"2024-01-01T24:00:00Z"', b"\xe2\x80\xa8"),
    b'"2024-01-01T00:00:00.123456789Z"',
)


def fuzzed(seed: int, count: int) -> list[Pair]:
    """Random records, most of them nearly good; every fifth is good."""
    dice = random.Random(seed)
    made = [wire(seq=n, sensor_id=f"s-{seed}-{n % 3}") for n in range(count)]
    return [pair if n % 5 == 0 else mutated(dice, pair) for n, pair in enumerate(made)]


def ids(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    return {name: 1 for name, _, _ in sensors}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_bytes_a_batch_is_prepared(seed: int) -> None:
    """Random wounds never crash a processor: each record becomes one row or one bad record, by itself as in a batch."""
    pairs = fuzzed(seed, 300)
    prepared = Owned.of(0, Taken(0, 1), 1).prepare(records(pairs), ids)
    bad = {one.offset for one in prepared.dead_letters}
    rows = [int(o) for group in prepared.batch.readings for o in group["record_offset"]]
    assert sorted([*rows, *bad]) == list(range(300)), f"seed {seed}"
    alone = {n for n, pair in enumerate(pairs) if take_in(records([pair], first=n)).bad}
    assert alone == bad, f"seed {seed}"
    assert bad.isdisjoint(range(0, 300, 5))


# ---- on a cluster


@pytest.fixture
def run(cluster: LocalCluster, tmp_path: Path) -> Iterator[FactoryRun]:
    """A factory of the test's own on the shared cluster."""
    with factory_run(cluster.endpoints, tmp_path) as factory:
        yield factory


def places(
    run: FactoryRun,
) -> tuple[dict[tuple[int, int], Pair], Counter[tuple[int, int]], dict[tuple[int, int], Pair]]:
    """What the log holds where, which of it is stored, and which of it is a dead letter, with its bytes."""
    log = {(m.partition() or 0, m.offset() or 0): (m.key(), m.value()) for m in run.read(run.names.sensors)}
    stored = Counter(run.query("SELECT partition, record_offset FROM {s}.readings"))
    dead = {}
    for message in run.read(run.names.dead_letters):
        headers = {name: value.decode() for name, value in message.headers() or ()}
        assert headers["__connect.errors.topic"] == run.names.sensors
        assert headers["__connect.errors.stage"] == "VALUE_CONVERTER"
        assert headers["__connect.errors.exception.class.name"] and headers["__connect.errors.exception.message"]
        place = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
        assert place not in dead
        dead[place] = message.key(), message.value()
    return log, stored, dead  # type: ignore[return-value]


@pytest.mark.cluster
def test_every_kind_of_record_is_accounted_for(run: FactoryRun) -> None:
    """All kinds at once through Kafka and PostgreSQL: each has the fate that the table gives it, and no other."""
    fates: dict[Pair, Fate] = dict(CASES.values())
    run.processor("p0")
    run.produce(beside_good_ones(pair for pair, _ in CASES.values()))
    run.wait_drained()
    assert run.end("p0") == 0
    log, stored, dead = places(run)
    assert all(pair == log[place] for place, pair in dead.items())
    where: dict[Pair, list[tuple[int, int]]] = defaultdict(list)
    for place, pair in log.items():
        where[pair].append(place)
    assert where.keys() >= fates.keys()
    for pair, found in where.items():
        counts = sum(stored[place] for place in found), sum(place in dead for place in found)
        expected = {"stored": (1, 0), "dead": (0, len(found)), "known": (len(found) - 1, 0)}
        assert counts == expected[fates.get(pair, "stored")], pair
    ((value,),) = run.query("SELECT temperature_c FROM {s}.readings r JOIN {s}.sensors s ON s.id = r.sensor_id"
                            " WHERE s.name = 's-1' AND seq = 3")  # fmt: skip
    assert value == 70.5  # the first of two that claim to be the same reading


@pytest.mark.cluster
def test_what_is_larger_than_a_dead_letter_can_be_is_cut_and_says_so(run: FactoryRun) -> None:
    """Compressed, a record of 3 MB fits into the log; its dead letter holds the beginning, the size and the origin."""
    run.processor("p0")
    huge = b"x" * 3_000_000
    settings = {"compression.type": "zstd", "message.max.bytes": "5000000"}
    run.produce([wire(seq=0), (b"s-1", huge), (b"k" * 1_500_000, huge), wire(seq=1)], **settings)
    run.wait_drained()
    assert run.end("p0") == 0
    assert run.stored() == 2
    letters = run.read(run.names.dead_letters)
    assert [len(m.key() or b"") + len(m.value() or b"") for m in letters] == [RECORD_MAX, RECORD_MAX]
    said = [{name: value.decode() for name, value in m.headers() or ()} for m in letters]
    assert [h["factory.truncated.from.bytes"] for h in said] == ["3000000", "3000000"]
    assert {h.get("factory.key.truncated.from.bytes") for h in said} == {None, "1500000"}


@pytest.mark.cluster
def test_the_store_takes_whatever_the_intake_lets_pass(run: FactoryRun) -> None:
    """What is prepared from random bytes is written without a refusal by the real store, each reading once."""
    store = Store(run.endpoints.database_url, run.names.schema, "fuzz", "one", 30)
    owned = Owned.of(0, store.take(0), 1)
    good: set[tuple[str, int]] = set()
    for seed in range(100, 130):
        batch = records(fuzzed(seed, 300), first=owned.next_offset)
        good |= {(reading.sensor_id, reading.seq) for reading in take_in(batch).readings}
        try:
            store.commit(owned.prepare(batch, store.sensor_ids).batch)
        except (DataError, StoreUnavailable, UnicodeError) as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
    store.close()
    assert run.stored() == len(good) > 1_000
