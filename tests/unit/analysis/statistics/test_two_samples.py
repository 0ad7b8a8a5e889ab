"""Two samples: the permutation test, effects with intervals, equivalence, correction, and the A/A check."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy

from factorylab.analysis.statistics.alarms import Observed, false_alarms
from factorylab.analysis.statistics.difference import Margin, beyond_p, effect, equivalence_p
from factorylab.analysis.statistics.multiple import holm
from factorylab.analysis.statistics.permutation import permutation, scores, smallest_p
from factorylab.analysis.statistics.sample import Sample, joined

DICE = np.random.default_rng(5)
SIMULATED = 400
A, B = DICE.normal(10, 2, 7).round(3), DICE.normal(12, 2, 6).round(3)
TIED_A, TIED_B = np.array([1, 2, 2, 3, 3.0]), np.array([2, 3, 4, 4, 5, 5.0])
CENSORED_A = Sample.of([3, 5, 8, 10, 10, 10], [False, False, False, False, True, True])
CENSORED_B = Sample.of([6, 9, 10, 10, 10], [False, False, True, True, True])


def by_hand(a: Sample, b: Sample) -> tuple[float, float]:
    """p below and above by adding up the scores of each choice of A."""
    scored = scores(joined(a, b))
    sums = np.array([scored[list(chosen)].sum() for chosen in combinations(range(len(scored)), len(a))])
    seen = scored[: len(a)].sum()
    return float((sums >= seen - 1e-9).mean()), float((sums <= seen + 1e-9).mean())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Sample.of(A), Sample.of(B)),
        (Sample.of(TIED_A), Sample.of(TIED_B)),
        (CENSORED_A, CENSORED_B),
        (Sample.of([5]), Sample.of(TIED_B)),
        (Sample.of(TIED_B), Sample.of([5])),
    ],
    ids=["distinct", "tied", "censored", "one against several", "several against one"],
)
def test_every_assignment_is_counted(a: Sample, b: Sample) -> None:
    """p is the share of all assignments of the scores that are as extreme: the same as by hand, whatever the values."""
    found = permutation(a, b)
    assert found is not None and found.exact
    assert (found.less, found.greater) == pytest.approx(by_hand(a, b), rel=1e-9)
    assert found.p == pytest.approx(min(2 * min(by_hand(a, b)), 1))


def test_it_is_the_test_of_scipy() -> None:
    """It equals scipy's permutation test of midranks and, without ties, its exact test of Mann and Whitney."""

    def means(a: object, b: object, axis: int = -1) -> object:
        return np.mean(b, axis=axis) - np.mean(a, axis=axis)  # type: ignore[call-overload]

    ranked = scores(joined(Sample.of(TIED_A), Sample.of(TIED_B)))
    theirs = scipy.stats.permutation_test((ranked[:5], ranked[5:]), means, vectorized=True, n_resamples=10_000)
    ours = permutation(Sample.of(TIED_A), Sample.of(TIED_B))
    assert ours is not None and ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    ours = permutation(Sample.of(A), Sample.of(B))
    assert ours is not None and ours.p == pytest.approx(scipy.stats.mannwhitneyu(A, B, method="exact").pvalue, rel=1e-9)


def test_log_rank_scores_add_up_to_the_log_rank_test() -> None:
    """Over a sample the scores add up to expected − observed ends: their square over its variance is scipy's chi²."""
    a, b = CENSORED_A, CENSORED_B
    everything = joined(a, b)
    expected = variance = 0.0
    for t in np.unique(everything.values[~everything.censored]):
        at_risk, mine = (everything.values >= t).sum(), (a.values >= t).sum()
        ended = ((everything.values == t) & ~everything.censored).sum()
        expected += ended * mine / at_risk
        variance += ended * mine / at_risk * (1 - mine / at_risk) * (at_risk - ended) / max(at_risk - 1, 1)
    total = scores(everything)[: len(a)].sum()
    assert total == pytest.approx(expected - (~a.censored).sum(), rel=1e-9)
    theirs = scipy.stats.logrank(*(scipy.stats.CensoredData.right_censored(s.values, s.censored) for s in (a, b)))
    assert total**2 / variance == pytest.approx(theirs.statistic**2, rel=1e-9)


def test_many_values_are_drawn_with_a_seed_and_say_so() -> None:
    """With ties, 12 against 12 are drawn: not exact, the same at each call, and near what scipy draws."""
    a, b = Sample.of(np.arange(12) // 2), Sample.of(np.arange(12) // 2 + 1)
    first, second = permutation(a, b), permutation(a, b)
    assert first == second and first is not None and not first.exact
    drawn = scipy.stats.PermutationMethod(n_resamples=9_999, rng=np.random.default_rng(9))
    assert first.p == pytest.approx(scipy.stats.mannwhitneyu(a.values, b.values, method=drawn).pvalue, abs=0.015)


def test_what_is_all_the_same_cannot_be_tested() -> None:
    """Equal values in both sets, all censored at one time, or no value at all: there is no test, and no p."""
    same, censored = Sample.of([4, 4, 4]), Sample.of([9, 9], [True, True])
    assert permutation(same, same) is permutation(censored, censored) is permutation(Sample.of([]), same) is None
    assert effect(Sample.of([]), same) is None
    found = effect(censored, censored)
    assert found is not None and (found.difference, found.interval) == (0, None)


def test_three_runs_each_can_show_nothing() -> None:
    """The least p of 3 + 3 values is 0.1, and of 4 + 4 it is 2/70: fully apart they reach just that."""
    assert smallest_p(3, 3) == pytest.approx(0.1) and smallest_p(4, 4) == pytest.approx(2 / 70)
    found = permutation(Sample.of([1, 2, 3]), Sample.of([7, 8, 9]))
    assert found is not None and found.p == pytest.approx(found.smallest)


def test_the_effect_is_the_median_of_all_differences() -> None:
    """Hodges and Lehmann's shift and ratio, and both intervals are just what the rank test does not reject."""
    a, b = Sample.of(A), Sample.of(B)
    found = effect(a, b)
    assert found is not None and found.interval and found.ratio_interval and found.ratio
    assert found.difference == pytest.approx(np.median(np.subtract.outer(B, A)))
    assert found.ratio == pytest.approx(np.median(np.divide.outer(B, A)))
    for edge, outward in ((found.interval.low, -1), (found.interval.high, 1)):
        outside, inside = (permutation(a, b.plus(-(edge + sign * outward * 1e-6))) for sign in (1, -1))
        assert outside and inside and outside.p <= 0.05 < inside.p


@pytest.mark.parametrize(("n_a", "n_b"), [(5, 5), (6, 9), (20, 20)])
def test_the_interval_of_the_shift_covers_what_it_promises(n_a: int, n_b: int) -> None:
    """On samples with a known shift it covers that as often as its confidence says, to three standard errors."""
    dice, hits = np.random.default_rng(n_a), 0
    for _ in range(SIMULATED):
        found = effect(Sample.of(dice.normal(0, 1, n_a)), Sample.of(dice.normal(3, 1, n_b)))
        assert found is not None and found.interval is not None and found.interval.exact
        hits += found.interval.low <= 3 <= found.interval.high
    sure = found.interval.confidence
    assert abs(hits / SIMULATED - sure) < 3 * np.sqrt(sure * (1 - sure) / SIMULATED)


def test_the_interval_of_restricted_means_covers_the_truth() -> None:
    """With a fifth of the values censored the difference of the means, known to be 0, is covered in 93 to 97 of 100."""
    dice, hits, seen = np.random.default_rng(2), 0, 0
    for _ in range(SIMULATED):
        times = 12 * dice.weibull(2, (2, 15))
        found = effect(*(Sample.of(np.minimum(one, 15), one > 15) for one in times))
        if found is not None and found.interval is not None:
            hits, seen = hits + (found.interval.low <= 0 <= found.interval.high), seen + 1
    assert seen > SIMULATED * 0.9 and 0.915 < hits / seen < 0.985


def test_no_difference_is_shown_only_within_the_margin() -> None:
    """Equal samples are equivalent within a wide margin, not within a narrow one; different ones are not."""
    values = np.linspace(10, 11, 9)
    a, b = Sample.of(values), Sample.of(values + 0.03)
    wide, narrow = (equivalence_p(a, b, Margin(size, relative=False)) for size in (1.0, 0.05))
    assert wide is not None and wide < 0.01 and narrow is not None and narrow > 0.1
    far = equivalence_p(a, b.plus(1.5), Margin(1.0, relative=False))
    assert far is not None and far > 0.9
    by_factor = [equivalence_p(a, b, Margin(factor, relative=True)) for factor in (1.2, 1.001)]
    assert by_factor[0] is not None and by_factor[0] < 0.01 and by_factor[1] is not None and by_factor[1] > 0.1
    assert equivalence_p(Sample.of([0, 1]), a, Margin(1.1, relative=True)) is None


def test_equivalence_is_shown_falsely_at_most_as_often_as_allowed() -> None:
    """Where the truth is just at the margin, equivalence is shown in at most 5 of 100 samples, and 3 for chance."""
    dice = np.random.default_rng(8)
    shown = [
        equivalence_p(Sample.of(dice.normal(0, 1, 10)), Sample.of(dice.normal(2, 1, 10)), Margin(2.0, relative=False))
        for _ in range(SIMULATED // 2)
    ]
    assert np.mean([p is not None and p <= 0.05 for p in shown]) < 0.08


def test_beyond_a_factor_is_shown_in_its_direction() -> None:
    """Values twice as large are shown to be above 1.2 times A, and not below it; at exactly the factor neither is."""
    a = Sample.of(np.linspace(10, 11, 8))
    above, below = beyond_p(a, a.times(2), 1.2) or (1, 1)
    assert above < 0.001 and below == pytest.approx(1)
    assert min(beyond_p(a, a.times(1.2), 1.2) or (0, 0)) > 0.4
    assert beyond_p(a, Sample.of([]), 1.2) is None


def test_holm_multiplies_and_never_decreases() -> None:
    """The correction of Holm's paper: smallest times m, next times m − 1, in order, at most 1, in the order given."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == []


def observed(values: np.typing.NDArray[np.float64]) -> Observed:
    return Observed(values, np.zeros(len(values), dtype=bool))


def test_exchangeable_runs_give_few_false_alarms() -> None:
    """Forty runs of one law, three quantities with ties and a gap: 5 of 100 splits and no more, but for chance."""
    table = np.random.default_rng(4).gamma(9, size=(3, 40))
    table[1] = table[1].round()
    table[2, 3] = np.nan
    found = false_alarms({f"q{i}": observed(row) for i, row in enumerate(table)}, splits=500)
    assert 0 < found.alarms < 0.075 * found.splits and not found.too_many and found.fit


def test_a_machine_that_drifts_is_not_fit() -> None:
    """Runs that become slower with time pass at random and fail in the order of time, with the quantity named."""
    dice = np.random.default_rng(4)
    slow = observed(dice.normal(10, 1, 40) + np.arange(40) / 10)
    found = false_alarms({"recovery": slow, "lost": observed(dice.normal(size=40))}, splits=200)
    assert not found.too_many and found.drifts == ["recovery"] and not found.fit


def test_a_test_that_cries_wolf_is_noticed() -> None:
    """More alarms than chance allows for 5 of 100 are too many."""
    from factorylab.analysis.statistics.alarms import Alarms

    assert not Alarms(40, 1000, 60, {}, {}, {}).too_many and Alarms(40, 1000, 80, {}, {}, {}).too_many
    with pytest.raises(ValueError, match="no quantity differs"):
        false_alarms({"lost": observed(np.zeros(12))})
