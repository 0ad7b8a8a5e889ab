"""Positions on a real PostgreSQL: the parts of the detectors' state move with the position, or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest

from factorylab.detectors.saved_state import Part
from factorylab.factory.store.positions import Fenced
from factorylab.factory.store.rows import StoreBatch
from factorylab.factory.store.schema import create_schema, drop_schema
from factorylab.factory.store.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on tables of the test's own."""
    schema = f"of_{secrets.token_hex(4)}"
    create_schema(database_url, schema)
    with closing(Store(database_url, schema, "t", "one", 30)) as made:
        yield made
    drop_schema(database_url, schema)


def move(store: Store, partition: int, epoch: int, offset: int, part: Part) -> None:
    """Store a batch of one record that holds no reading."""
    store.commit(StoreBatch(partition, offset, offset + 1, epoch, part, []))


def test_part_0_replaces_all_parts_and_others_join_them(store: Store) -> None:
    """The next owner gets the last whole state and the changes after it, in their order, of its own partition alone."""
    parts = [Part(0, b"a"), Part(1, b"b"), Part(0, b"c"), *(Part(n, b"%d" % n) for n in range(1, 12))]
    epochs = {partition: store.take(partition).epoch for partition in (0, 1)}
    assert store.take(1).state == []
    for offset, part in enumerate(parts):
        move(store, 0, epochs[0], offset, part)
    move(store, 1, epochs[1] + 1, 0, Part(0, b"other"))
    taken = store.take(0)
    assert (taken.next_offset, taken.state) == (len(parts), [b"c", *(b"%d" % n for n in range(1, 12))])
    assert store.take(1).state == [b"other"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_refused_batch_leaves_the_state_as_it_was(store: Store, number: int) -> None:
    """A former owner neither replaces the state nor adds to it."""
    epoch = store.take(0).epoch
    move(store, 0, epoch, 0, Part(0, b"state"))
    taken = store.take(0)
    with pytest.raises(Fenced):
        move(store, 0, epoch, 1, Part(number, b"late"))
    assert store.take(0).state == taken.state == [b"state"]
