"""What cannot be true together is told."""

from __future__ import annotations

from pathlib import Path

from factorylab.analysis import contradictions
from tests.support import control_lines as line
from tests.support.histories import History, broker_loss


def logged(folder: Path, *lines: str) -> History:
    h = broker_loss(folder)
    h.made_of |= {"topics": {"sensor-data": line.TOPIC}, "group": line.GROUP}
    h.logs = {"broker-2": list(lines)}
    return h


def test_a_possible_order_is_no_contradiction(tmp_path: Path) -> None:
    """Dead, fenced, replaced, seen by the probe: nothing is told."""
    assert contradictions(logged(tmp_path, line.fenced(8.9, 1), line.leads(8.95, 2, 0, 1, "2")).run()) == []


def test_a_leader_that_is_replaced_before_the_fencing_is_one(tmp_path: Path) -> None:
    """Another leader before the old one's session was over, which did not hand over: both moments are told."""
    found = contradictions(logged(tmp_path, line.leads(8.2, 2, 0, 1, "2"), line.fenced(8.9, 1)).run())
    assert [one.partition for one in found] == [0]
    assert "leader_elected at 8.200 s" in found[0].text and "fenced at 8.900 s" in found[0].text


def test_an_epoch_that_was_seen_before_it_began_is_one(tmp_path: Path) -> None:
    """The probe saw at 9.1 s what the leader's log dates to 12.5 s: longer than brokers take to hear of it."""
    found = contradictions(logged(tmp_path, line.fenced(12.4, 1), line.leads(12.5, 2, 0, 1, "2")).run())
    assert any("the probe saw leader epoch 1 3.4" in one.text for one in found)


def test_a_clock_that_was_set_during_the_run_is_one(tmp_path: Path) -> None:
    """A jump of two seconds makes all times of log lines as uncertain, and is told once."""
    h = logged(tmp_path, line.fenced(8.9, 1))
    h["phases"].loc[h["phases"]["phase"] == "after", "wall_ns"] += 2_000_000_000
    found = contradictions(h.run())
    assert [one.text for one in found] == [
        "the wall clock strayed by 2.000 s during the run: times of log lines are as uncertain"
    ]
