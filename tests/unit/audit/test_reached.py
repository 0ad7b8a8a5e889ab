"""What the tests leave out of a verdict finds nothing: the shortcut of `fired` gives what all checks give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.histories import History, broker_loss, consumer_loss, healthy, network_partition, scenario
from tests.support.reached import reached
from tests.support.spoils import OTHERS, Spoil, dead_from, fired, later, lose, set_cell, unread

SPOILS: dict[str, tuple[Callable[[Path], History], Spoil]] = {
    "a record that is gone": (broker_loss, lambda h: lose(h, 40)),
    "a record that is passed over": (consumer_loss, lambda h: unread(h, 7)),
    "a broker that is dead": (healthy, dead_from("broker-2", 3)),
    "a send of another time": (network_partition, later("sends", -3)),
    "another worker's poll": (healthy, set_cell("reads", 9, "worker", "processor-9")),
    "a payload": (broker_loss, set_cell("log", 4, "payload_hash", np.uint64(1))),
    "a table that is not there": (healthy, lambda h: h.absent.add("commits")),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_the_shortcut_finds_what_all_checks_find(tmp_path: Path, spoil: str) -> None:
    """Some checks are left out, and what fires is what fires of all of them, with the same counts."""
    make, change = SPOILS[spoil]
    history = make(tmp_path)
    change(history)
    run = history.run()
    assert len(reached(run, OTHERS)) < len(OTHERS)
    assert fired(run) == fired(history.run(), *OTHERS) != {}


def test_a_history_of_another_scenario_is_judged_by_all_checks(tmp_path: Path) -> None:
    """Nothing is known of what a check reads there."""
    run = healthy(tmp_path, scenario(objectives={"shed": 0})).run()
    assert reached(run, OTHERS) == list(OTHERS)


def test_checks_that_read_more_than_tables_are_always_made(tmp_path: Path) -> None:
    """Of a history without a spoil those remain that look at the run's folder."""
    assert reached(healthy(tmp_path).run(), OTHERS) == ["seal", "no_problems"]
