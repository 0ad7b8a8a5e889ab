"""How a capacity search splits its load generator."""

from __future__ import annotations

from factorylab.analysis.capacity import counted, fleets_for, tried
from factorylab.analysis.rate_search import Outcome, Tried, next_rate
from factorylab.analysis.rate_trial import Trial
from factorylab.scenarios.capacity import CapacityPlan

PLAN = CapacityPlan(fleets_max=3)


def trial(rate_per_s: float, outcome: Outcome, fleets: int) -> Trial:
    numbers = dict.fromkeys(("offered_per_s", "stored_per_s", "p50_s", "p99_s", "lag_slope_per_s"), 0.0)
    return Trial(run_id="aaaaaa", rate_per_s=rate_per_s, fleets=fleets, outcome=outcome, **numbers)


def test_a_late_generator_is_split_and_the_rate_tried_again() -> None:
    """With one process late at the second rate, the same rate comes again with two, and what the first said of it is
    kept on record and counts no more."""
    trials = [trial(20_000, "kept", 1), trial(40_000, "generator late", 1)]
    assert fleets_for(PLAN, trials) == 2 and next_rate(PLAN, tried(PLAN, trials)) == 40_000
    trials.append(trial(40_000, "kept", 2))
    assert tried(PLAN, trials) == [Tried(20_000, "kept"), Tried(40_000, "kept")]


def test_a_generator_that_is_late_with_all_its_processes_bounds_the_search() -> None:
    """With as many processes as are allowed it counts, and there are never more."""
    trials = [trial(20_000, "kept", 1), *(trial(40_000, "generator late", fleets) for fleets in (1, 2, 3))]
    assert fleets_for(PLAN, trials) == 3
    assert [one.fleets for one in counted(trials)] == [1, 3]
    assert next_rate(PLAN, tried(PLAN, trials)) == 28_300
