"""Controls: a healthy history spoiled at random places by a known number; the audit must count exactly that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab.audit.judge import checked
from tests.support.histories import History, healthy
from tests.support.spoils import add_log, alert, fired

SEEDS = range(3)


@pytest.fixture(params=SEEDS)
def dice(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return healthy(tmp_path)


def inner_rows(h: History, dice: np.random.Generator, k: int) -> np.ndarray:
    """k rows of the log of which none is the first or last of its partition (that would spoil the final read)."""
    edge = h["log"].groupby("partition")["offset"].transform(lambda o: (o == o.min()) | (o == o.max()))
    return dice.choice(h["log"].index[~edge.astype(bool)], k, replace=False)


def test_deleted_records_are_lost(history: History, dice: np.random.Generator) -> None:
    """k records deleted from the log are k lost."""
    k = int(dice.integers(1, 40))
    history["log"] = history["log"].drop(index=inner_rows(history, dice, k))
    assert fired(history.run()) == {"lost_in_log": k}


def test_deleted_rows_are_lost_in_the_pipeline(history: History, dice: np.random.Generator) -> None:
    """k rows deleted from the store are k lost on the way to it."""
    k = int(dice.integers(1, 40))
    history["rows"] = history["rows"].drop(index=inner_rows(history, dice, k))
    assert fired(history.run()) == {"lost_in_pipeline": k}


def test_added_rows_are_duplicates(history: History, dice: np.random.Generator) -> None:
    """j rows copied in the store are j duplicates."""
    j = int(dice.integers(1, 40))
    rows = history["rows"].loc[inner_rows(history, dice, j)]
    copied = ("sensor", "seq", "partition", "offset", "value", "measures_hash")
    history.add("rows", **{name: rows[name].to_numpy() for name in copied})
    assert fired(history.run()) == {"duplicate_in_store": j}


def test_added_records_are_duplicates(history: History, dice: np.random.Generator) -> None:
    """j records written again at the end of the log are j duplicates."""
    j = int(dice.integers(1, 20))
    for row in inner_rows(history, dice, j):
        record = history["log"].loc[row]
        add_log(history, int(record.sensor), int(record.seq), int(record.payload_hash))
    assert fired(history.run()) == {"duplicate_in_log": j}


def test_swapped_readings_are_reordered(history: History, dice: np.random.Generator) -> None:
    """Two successive readings of one sensor, swapped wherever they were written and stored, are one reordering."""
    sensor, seq = int(dice.integers(0, 6)), int(dice.integers(2, 190))
    for table in ("sends", "log", "rows"):
        frame = history[table]
        one, two = ((frame["sensor"] == sensor) & (frame["seq"] == s) for s in (seq, seq + 1))
        swapped = {"sends": ("offset",), "log": ("seq", "payload_hash"), "rows": ("seq",)}
        for column in swapped[table]:
            a, b = (frame.loc[mask, column].to_numpy() for mask in (one, two))
            frame.loc[one, column], frame.loc[two, column] = b, a
    found = fired(history.run())
    # the polls saw the order of before: their sums are of other values where a poll ends between the two
    assert {name: n for name, n in found.items() if name != "inconsistent_offset"} == {"reordered_in_log": 1}


def test_flipped_payloads_are_corrupt(history: History, dice: np.random.Generator) -> None:
    """k flipped payloads are k corrupt records."""
    k = int(dice.integers(1, 40))
    rows = inner_rows(history, dice, k)
    history["log"].loc[rows, "payload_hash"] ^= np.uint64(1)
    found = fired(history.run())
    assert found.pop("inconsistent_offset") > 0 and found == {"corrupt": k}


def test_invented_records_are_phantoms(history: History, dice: np.random.Generator) -> None:
    """k records of unknown sensors are k phantoms."""
    k = int(dice.integers(1, 20))
    for _ in range(k):
        add_log(history, -1, int(dice.integers(0, 1000)))
    assert fired(history.run()) == {"phantom": k}


def test_a_dropped_alert_is_missing(history: History, dice: np.random.Generator) -> None:
    """Of ten alerts in both sinks, k dropped from the topic are k missing."""
    k = int(dice.integers(1, 10))
    dropped = set(dice.choice(10, k, replace=False).tolist())
    for seq in range(10):
        alert(history, "table", seq)
        alert(history, "replay", seq)
        if seq not in dropped:
            alert(history, "topic", seq)
    assert fired(history.run()) == {"alert_missing": k}


def test_a_truncated_journal_is_invalid(history: History, dice: np.random.Generator) -> None:
    """A journal of sends that lost its last k entries makes the run INVALID, and no phantom of what it lacks."""
    k = int(dice.integers(1, 200))
    history["sends"] = history["sends"].iloc[:-k]
    failed = {c.name: c for c in checked(history.run())[1] if c.fired}
    assert failed["journal_whole"].count == k and {c.verdict for c in failed.values()} == {"INVALID"}
