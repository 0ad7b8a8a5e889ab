"""How many records lie before a place: worked out where the log has no holes, and looked up where it has some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from factorylab.analysis.readings import place
from factorylab.audit.model.registry import Evidence
from tests.support.histories import History, healthy
from tests.support.spoils import Spoil, drop


@pytest.mark.parametrize(
    "spoil",
    [lambda h: None, drop("log", 7), lambda h: h.__setitem__("log", h["log"].head(0)),
     lambda h: h.__setitem__("log", h["log"][h["log"]["partition"] != 1])],
    ids=["no holes", "a hole", "no record", "a partition without any"],
)  # fmt: skip
def test_records_before_a_place_are_those_of_lower_places(tmp_path: Path, spoil: Spoil) -> None:
    """Of places within, between and beyond the partitions, and of an unknown one."""
    history: History = healthy(tmp_path)
    spoil(history)
    log = Evidence(history.run()).log
    dice = np.random.default_rng(1)
    asked = np.append(place(dice.integers(-1, 5, 2000), dice.integers(-1, 500, 2000)), [-1, 0])
    before: Callable[[np.ndarray], np.ndarray] = log.before
    assert (before(asked) == np.searchsorted(log.place, asked)).all()
