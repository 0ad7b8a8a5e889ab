"""The search for the highest rate that is kept, against systems whose limit is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from factorylab.analysis.rate_search import (
    INCONCLUSIVE_MAX,
    LEAST_PER_S,
    Bracket,
    Outcome,
    Tried,
    bracket,
    next_rate,
)
from factorylab.core.limits import RATE_MAX_PER_S
from factorylab.scenarios.capacity import CapacityPlan

PLAN = CapacityPlan()


def searched(answer: Callable[[float], Outcome], plan: CapacityPlan = PLAN) -> tuple[Bracket, list[Tried]]:
    trials: list[Tried] = []
    while (rate := next_rate(plan, trials)) is not None:
        assert len(trials) < 200
        trials.append(Tried(rate, answer(rate)))
    return bracket(plan, trials), trials


@pytest.mark.parametrize("limit", [150, 900, 19_999, 20_000, 47_000, 83_000, 400_000, 999_999])
def test_the_limit_lies_in_the_bracket(limit: float) -> None:
    """The limit of a system that always answers alike lies between the ends, which are as close as was asked for and
    have as many trials."""
    found, trials = searched(lambda rate: "kept" if rate <= limit else "not kept")
    assert found.kept_per_s is not None and found.failed_per_s is not None and not found.open
    assert found.kept_per_s <= limit < found.failed_per_s
    assert found.failed_per_s <= (1 + PLAN.resolution) * found.kept_per_s
    assert found.kept == found.failed == (PLAN.repeats, PLAN.repeats)
    assert len(trials) <= PLAN.trials_max


@pytest.mark.parametrize("limit", [10_150, 11_400, 99_000, 101_000])
def test_the_least_resolution_is_reached(limit: float) -> None:
    """Rates are round numbers, and yet fine enough for ends that are 2 % apart."""
    plan = CapacityPlan(resolution=0.02, trials_max=60)
    found, _ = searched(lambda rate: "kept" if rate <= limit else "not kept", plan)
    assert found.kept_per_s and found.failed_per_s and found.failed_per_s <= 1.02 * found.kept_per_s


def test_a_limit_that_wavers_is_found_in_most_searches() -> None:
    """Where one trial in eight answers at random, nine of ten searches end within twice the resolution of the limit."""
    near = 0
    for seed in range(200):
        dice = random.Random(seed)
        truth = dice.uniform(20_000, 200_000)

        def answer(rate: float, truth: float = truth, dice: random.Random = dice) -> Outcome:
            kept = rate <= truth if dice.random() > 1 / 8 else dice.random() < 1 / 2
            return "kept" if kept else "not kept"

        found, _ = searched(answer, CapacityPlan(trials_max=60))
        near += abs((found.kept_per_s or 0) / truth - 1) <= 2 * PLAN.resolution
    assert near >= 180


def test_a_late_generator_bounds_the_search_and_is_said() -> None:
    """What the generator could not offer is the upper end, and the answer says that it was not put to the test."""
    found, _ = searched(lambda rate: "kept" if rate <= 90_000 else "generator late")
    assert found.generator_late and found.kept_per_s and found.kept_per_s <= 90_000
    assert "the generator was late" in str(found)


def test_inconclusive_trials_are_repeated_and_then_end_the_search() -> None:
    """One inconclusive trial changes nothing; the third of a rate ends the search, and the answer says so."""
    once = iter(["inconclusive"])
    found, trials = searched(lambda rate: next(once, None) or ("kept" if rate <= 50_000 else "not kept"))  # type: ignore[arg-type,return-value]
    assert not found.open and trials[0].rate_per_s == trials[1].rate_per_s
    found, trials = searched(lambda _: "inconclusive")
    assert len(trials) == INCONCLUSIVE_MAX and "20,000/s were inconclusive" in found.open


def test_a_search_that_runs_out_of_trials_says_so() -> None:
    """The bracket so far is the answer, with the reason why it is not the planned one."""
    found, trials = searched(lambda rate: "kept" if rate <= 47_000 else "not kept", CapacityPlan(trials_max=4))
    assert len(trials) == 4 and "after 4 trials" in found.open and found.kept_per_s == 40_000


def test_no_rate_and_every_rate() -> None:
    """Where nothing is kept the search ends at its floor, where everything is at its ceiling."""
    found, trials = searched(lambda _: "not kept")
    assert found.kept_per_s is None and trials[-1].rate_per_s < 2 * LEAST_PER_S and "No rate was kept" in str(found)
    found, trials = searched(lambda _: "kept")
    assert found.kept_per_s == RATE_MAX_PER_S and found.failed_per_s is None


def test_an_end_that_does_not_hold_moves() -> None:
    """A rate that was kept once and not in the repeats becomes the upper end."""
    lucky = iter(["kept"])
    found, _ = searched(lambda rate: "kept" if rate <= 30_000 else next(lucky, "not kept"))  # type: ignore[arg-type,return-value]
    assert found.kept_per_s is not None and found.kept_per_s <= 30_000 and found.kept == (3, 3)


def test_an_unfinished_search_says_so() -> None:
    """Until the rule is followed to its end, the answer so far is called unfinished."""
    assert bracket(PLAN, [Tried(20_000, "kept")]).open == bracket(PLAN, []).open == "the search is not finished"
