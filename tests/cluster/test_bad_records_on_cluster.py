"""Bad records through a real Kafka and PostgreSQL: each has its one fate, and the store takes all the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from psycopg2.errors import DataError

from factorylab.factory.processor.intake import take_in
from factorylab.factory.processor.outbox import RECORD_MAX
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.store import Store
from tests.support.bad_records import CASES, Fate, Pair, fuzzed, records
from tests.support.factory_runs import FactoryRun
from tests.support.wire import wire


def beside_good_ones(pairs: Iterable[Pair]) -> list[Pair]:
    """Each between two good readings of its own."""
    good = iter([wire(seq=n) for n in range(899)])
    return [one for pair in pairs for one in (next(good), pair)] + [next(good)]


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
