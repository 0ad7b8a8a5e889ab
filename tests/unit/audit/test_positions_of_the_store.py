"""Positions of the store against what it stores: both change in one transaction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.histories import History, consumer_loss
from tests.support.spoils import Spoil, check_of, set_cell


def ahead(h: History) -> None:
    """The transaction of a killed owner took effect, and nobody noted it."""
    h["positions"].loc[1, "next_offset"] += 5


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda h: None, ""),
        (ahead, ""),
        (set_cell("positions", 1, "next_offset", 3), "partition 1: its position is 3"),
        (set_cell("positions", 1, "partition", 0), "partition 0: it has another position"),
        (set_cell("positions", 1, "partition", 3), "partition 3: it has another position, or is none of the topic"),
    ],
    ids=["as stored", "a note is missing", "below what is stored", "of another partition", "of no partition"],
)
def test_a_position_covers_what_is_stored(tmp_path: Path, spoil: Spoil, said: str) -> None:
    """Where a processor was killed its last note may be missing: its position may be ahead, and never behind."""
    history = consumer_loss(tmp_path)
    spoil(history)
    words = check_of(history.run(), "work_agrees").measured
    assert said in words if said else "position" not in words


@pytest.mark.parametrize(("column", "by"), [("count", 1), ("count", -1), ("hash_sum", 1)])
def test_a_poll_of_the_same_records_has_their_number(tmp_path: Path, column: str, by: int) -> None:
    """The same sum of hashes with another number of records cannot be, nor the same number with another sum."""
    history = consumer_loss(tmp_path)
    assert check_of(history.run(), "inconsistent_offset").count == 0
    history["reads"].loc[4, column] += history["reads"][column].dtype.type(by) if by > 0 else np.int64(by)
    assert check_of(history.run(), "inconsistent_offset").count == 1
