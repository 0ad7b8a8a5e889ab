"""Rows of a batch on a real PostgreSQL: readings of several kinds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from factorylab.detectors.saved_state import Part
from factorylab.factory.store import rows
from factorylab.factory.store.by_identity import IdentityStore
from factorylab.factory.store.copy_binary import Columns
from factorylab.factory.store.rows import StoreBatch
from factorylab.factory.store.schema import create_schema, drop_schema
from factorylab.factory.store.store import Store
from tests.support.databases import Place


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    """Empty tables of the test's own."""
    made = Place(database_url, f"of_{secrets.token_hex(4)}")
    create_schema(made.url, made.name)
    yield made
    drop_schema(made.url, made.name)


def group(sensors: list[int], offsets: list[int], **measures: object) -> Columns:
    """Readings of one kind; seqs are offsets."""
    at = np.array(offsets)
    columns = {"sensor_id": np.array(sensors, np.int32), "seq": at, "recorded_at": at}
    columns |= {"partition": np.zeros(len(at), np.int16), "record_offset": at}
    return columns | {name: np.array(values) for name, values in measures.items()}


FIRST = [
    group([2, 1, 2], [0, 1, 3], temperature_c=[20.0, 10.0, 21.0]),
    group([3], [2], energy_kwh=[5.0], running=[True]),
]
AGAIN = [group([1, 1], [1, 4], temperature_c=[99.0, 11.0])]


@pytest.mark.parametrize("together_rows", [0, 2_000])
def test_kinds_keep_their_columns(place: Place, monkeypatch: pytest.MonkeyPatch, together_rows: int) -> None:
    """In one statement or one for each kind, a reading has its own measures and nulls elsewhere, also beside one that
    is there already; the readings of a kind lie sensor by sensor."""
    monkeypatch.setattr(rows, "TOGETHER_ROWS", together_rows)
    with closing(Store(place.url, place.name, "t", "one", 30)) as store:
        epoch = store.take(0).epoch
        assert store.commit(StoreBatch(0, 0, 4, epoch, Part(0, b"s"), FIRST)) == 4
        assert store.commit(StoreBatch(0, 4, 6, epoch, Part(1, b"s"), AGAIN)) == 1
    found = place.ask(
        "SELECT sensor_id, seq, record_offset, temperature_c, energy_kwh, running, kurtosis"
        " FROM {s}.readings ORDER BY ctid"
    )
    assert found == [
        (1, 1, 1, 10.0, None, None, None),
        (2, 0, 0, 20.0, None, None, None),
        (2, 3, 3, 21.0, None, None, None),
        (3, 2, 2, None, 5.0, True, None),
        (1, 4, 4, 11.0, None, None, None),
    ]


def test_identity_is_the_fence_of_a_share_group(place: Place) -> None:
    """Two workers that were given the same records store each reading once, whoever comes first, in whatever order and
    with whatever else; the second time changes nothing."""
    with (
        closing(IdentityStore(place.url, place.name, "one", 30)) as one,
        closing(IdentityStore(place.url, place.name, "other", 30)) as other,
    ):
        assert one.commit(FIRST) == 4
        assert other.commit([*AGAIN, *FIRST]) == 1
        assert one.commit([*AGAIN, *FIRST]) == 0
    found = place.ask("SELECT sensor_id, seq, temperature_c FROM {s}.readings ORDER BY 1, 2")
    assert found == [(1, 1, 10.0), (1, 4, 11.0), (2, 0, 20.0), (2, 3, 21.0), (3, 2, None)]
