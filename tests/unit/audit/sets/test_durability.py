"""Runs side by side by fault, replicas and acks: every number in its place, and no number where there is none."""

from __future__ import annotations

import pytest

from factorylab.audit.sets.durability import Place, places, table
from factorylab.core.errors import UsageError
from tests.support.campaign_runs import FROZEN_FIRST, campaign_run

KILLED_SAFE = ("kill leader", "3 replicas, min ISR 2", "all")


def test_from_five_values_on_there_is_a_median_with_its_exact_interval() -> None:
    """Five runs: median, least and most with 93.8 %; an INVALID one is counted apart and is no value."""
    runs = [*(campaign_run(lost=n) for n in (0, 4, 1, 3, 2)), campaign_run(valid=False)]
    told = table(runs, "lost").loc[KILLED_SAFE]
    assert told.to_dict() == {"n": "5", "INVALID": "1", "lost (readings)": "2 (0 … 4 (93.8%))"}


def test_below_five_the_values_stand_there() -> None:
    """No interval is claimed, and a lower bound keeps its mark."""
    runs = [campaign_run(recovery=12), campaign_run(recovery=60, censored=True), campaign_run(recovery=9.5)]
    assert table(runs, "recovery").loc[KILLED_SAFE, "recovery (s)"] == "9.500, 12, > 60"


def test_what_was_not_run_says_so() -> None:
    """Every fault has a row for all acks and replicas of any run: without a run, or with INVALID ones alone, it has no
    number."""
    runs = [campaign_run(lost=0), campaign_run(acks="1", profile="factory", valid=False)]
    told = table(runs, "lost")["lost (readings)"]
    assert told.to_dict() == {
        ("kill leader", "2 replicas, min ISR 1", "1"): "INVALID alone",
        ("kill leader", "2 replicas, min ISR 1", "all"): "not run",
        ("kill leader", "3 replicas, min ISR 2", "1"): "not run",
        KILLED_SAFE: "0",
    }


def test_what_was_planned_and_never_run_says_so() -> None:
    """A fault of which there is no run at all has its rows."""
    frozen = campaign_run(faults=FROZEN_FIRST).scenario
    told = table([campaign_run(lost=0)], "lost", planned=[frozen])["lost (readings)"]
    assert told.to_list() == ["0", "not run"] and told.index[1][0] == "pause followers, kill leader"


def test_what_was_not_observed_is_no_zero() -> None:
    """Where runs have no value, the reason stands there, with how many they are."""
    runs = [campaign_run(acks="0", unknown=7), campaign_run(acks="0", unknown=9)]
    told = table(runs, "unknown", "unreadable", "lost").iloc[0]
    assert told.to_list()[2:] == ["7, 9", "2 not asked", "2 not recorded"]


def test_a_place_names_its_faults_in_their_order() -> None:
    """By the time at which each is injected, whatever the order in the file."""
    assert list(places([campaign_run(faults=FROZEN_FIRST)])) == [
        Place("pause followers, kill leader", "3 replicas, min ISR 2", "all")
    ]


def test_runs_that_differ_in_more_are_not_thrown_together() -> None:
    """Another rate in the same place is refused by the name of what differs, and so are no runs at all."""
    with pytest.raises(UsageError, match=r"kill leader.*workload\.rate_per_s"):
        table([campaign_run(lost=0), campaign_run(lost=9, rate_per_s=500)], "lost")
    with pytest.raises(UsageError, match="no run is here"):
        table([], "lost")
