"""What a trial of a capacity search says."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.rate_trial import Fired, Trial, trial
from tests.support.check_histories import not_offered, nothing, stepped, store_falls_behind
from tests.support.histories import History, S
from tests.support.spoils import Spoil

STEP = range(800, 1400)  # the sends of the step
NOTHING = Fired([], [])
LATENCY_S = 0.5


def judged(folder: Path, spoil: Spoil, fired: Fired = NOTHING) -> Trial:
    history = stepped(folder)
    spoil(history)
    return trial(history.run(), LATENCY_S, fired)


def slow(history: History) -> None:
    history["commits"]["t_ns"] += round(0.7 * S)


def growing(history: History) -> None:
    lag = history["lag"]
    lag["end"] += (lag["t_ns"] - lag["t_ns"].min()) * 3 // S  # each second three records more


def test_a_rate_that_is_kept(tmp_path: Path) -> None:
    """Everything in time: kept, with the numbers of the measured steps and nothing that gave way."""
    one = judged(tmp_path, nothing)
    assert (one.outcome, one.gave_way, one.evidence, one.rate_per_s) == ("kept", "", [], 100)
    assert one.offered_per_s == one.stored_per_s == pytest.approx(100, rel=0.02) and 0 < one.p50_s <= one.p99_s < 0.5


@pytest.mark.parametrize(
    ("spoil", "outcome", "gave_way", "evidence"),
    [
        (not_offered(*STEP[100:300]), "generator late", "generator", "200 were never offered"),
        (store_falls_behind, "not kept", "processors or store", "were not stored"),
        (slow, "not kept", "processors or store", "allowed 0.5 s: generator 0.00 s"),
        (growing, "not kept", "processors or store", "the lag grew by"),
    ],
)
def test_a_rate_that_is_not_kept_says_why(
    tmp_path: Path, spoil: Spoil, outcome: str, gave_way: str, evidence: str
) -> None:
    """Not offered, not stored, too slow, or a lag that grows: what gave way, the number, and who used the CPUs."""
    one = judged(tmp_path, spoil)
    assert (one.outcome, one.gave_way) == (outcome, gave_way)
    assert evidence in one.evidence[0] and "CPUs in use" in one.evidence[-1]


def test_other_checks_count(tmp_path: Path) -> None:
    """INVALID evidence decides nothing, a loss is no rate that is kept."""
    one = judged(tmp_path, nothing, Fired(["probe_alive"], []))
    assert (one.outcome, one.evidence) == ("inconclusive", ["INVALID: probe_alive"])
    one = judged(tmp_path, nothing, Fired(["kept_rate"], []))
    assert (one.outcome, one.evidence) == ("inconclusive", ["INVALID: kept_rate"]), "no step shows a late generator"
    one = judged(tmp_path, not_offered(*STEP[100:300]), Fired(["kept_rate"], ["kept_per_s"]))
    assert one.outcome == "generator late"
    one = judged(tmp_path, nothing, Fired([], ["lost_in_log"]))
    assert (one.outcome, one.evidence) == ("not kept", ["checks fired: lost_in_log"])
