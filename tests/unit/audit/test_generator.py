"""The load generator is judged: what was due, what was offered of it, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from factorylab.audit.checks.generator import kept_rate
from factorylab.audit.checks.loss import lost_in_log, phantom
from factorylab.audit.checks.objectives import shed
from factorylab.audit.model.registry import Evidence
from tests.support.check_histories import not_offered, stepped
from tests.support.histories import History, S, at_ns, healthy
from tests.support.spoils import Spoil, set_cell


def late(share: float, by_s: float) -> Spoil:
    """The last readings, so large a share of those from the steady state on, are sent later."""

    def spoil(h: History) -> None:
        hit = h["sends"].index[-round(share * 1_000) :]
        h["sends"].loc[hit, ["t_ns", "t_ack_ns"]] += round(by_s * S)

    return spoil


def stop(later_s: float) -> Spoil:
    return lambda h: h["stages"].__setitem__(
        "t_ns", h["stages"]["t_ns"].where(h["stages"]["rate_per_s"] > 0, h["stages"]["t_ns"] + round(later_s * S))
    )


def in_no_journal(h: History) -> None:
    """Sixty readings were due in the steady state, and nothing tells of them."""
    for table in ("sends", "log", "rows"):
        h[table] = h[table].merge(h["sends"][["sensor", "seq"]].drop(index=range(300, 360)), on=["sensor", "seq"])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (late(0.02, 0.6), "lateness p99 0.600 s"),
        (not_offered(*range(300, 360)), "60 never offered"),
        (in_no_journal, "60 in no journal"),
        (stop(-1), "fleet-0 stopped 1.0 s too early"),
        (lambda h: h.__setitem__("stages", h["stages"].head(1)), "fleet-0 never wrote that it stopped"),
        (set_cell("stages", 0, "rate_per_s", 120.0), "the fleets took the rates [120.0], declared are [100.0]"),
    ],
)
def test_a_generator_that_was_the_limit_is_named(tmp_path: Path, spoil: Spoil, words: str) -> None:
    """Late, not offered, not journalled, stopped early, of unknown end, or on another plan: each in its own words."""
    history = healthy(tmp_path)
    spoil(history)
    found = kept_rate(Evidence(history.run()))
    assert found.count and words in found.detail, found.detail


@pytest.mark.parametrize(
    ("make", "spoil"),
    [(healthy, late(0.005, 5)), (healthy, late(0.5, 0.4)), (healthy, stop(0.5)), (stepped, lambda h: None)],
)
def test_what_is_within_the_tolerances_is_kept(tmp_path: Path, make: Callable[[Path], History], spoil: Spoil) -> None:
    """A few late readings, all of them a little late, a stop after the end, and a step as declared."""
    history = make(tmp_path)
    spoil(history)
    found = kept_rate(Evidence(history.run()))
    assert not found.count, found.detail


def test_a_step_of_another_length_is_not_the_declared_one(tmp_path: Path) -> None:
    """A step that was cut short by a second is not that of the scenario."""
    history = stepped(tmp_path)
    history["stages"]["t_ns"] = history["stages"]["t_ns"].replace(at_ns(12), at_ns(11))
    found = kept_rate(Evidence(history.run()))
    assert found.count and "100/s lasted 5.0 s of 6 s" in found.detail


def test_what_was_not_offered_is_neither_lost_nor_shed(tmp_path: Path) -> None:
    """It is counted as due and as not offered, and as nothing else; due = offered + not offered."""
    history = healthy(tmp_path)
    not_offered(*range(300, 330))(history)
    run = history.run()
    e = Evidence(run)
    assert not any(check(e).count for check in (lost_in_log, phantom, shed))
    counts = run.verdict.counts
    assert counts is not None and (counts.due, counts.not_offered, counts.unstored) == (1200, 30, 0)
    assert counts.offered == counts.acked == 1170


def test_what_was_not_offered_and_is_there_all_the_same_is_a_phantom(tmp_path: Path) -> None:
    """Nobody can have sent it."""
    history = healthy(tmp_path)
    columns = ["t_ack_ns", "partition", "offset"]
    history["sends"].loc[300, columns] = -1
    history["sends"].loc[300, "outcome"] = "not_offered"
    found = phantom(Evidence(history.run()))
    assert found.count == 2 and found.detail.startswith("1 in the log, 1 in the store")


def test_a_run_of_before_knows_nothing_of_what_was_due(tmp_path: Path) -> None:
    """Then nothing is made up: due is unknown, and the check says what it could not see."""
    history = healthy(tmp_path)
    history.made_of["schema_version"] = 5
    history["stages"] = history["stages"].head(1)
    run = history.run()
    assert run.verdict.counts is not None and run.verdict.counts.due is None
    found = kept_rate(Evidence(run))
    assert not found.count and "not recorded before schema version 6" in found.detail
