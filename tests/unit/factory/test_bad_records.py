"""Every kind of bad record: stored or dead-lettered, never both, never neither, and the rest of its batch unharmed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from factorylab.factory.processor.intake import take_in
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.store.positions import Taken
from tests.support.bad_records import CASES, fuzzed, records
from tests.support.wire import wire


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
