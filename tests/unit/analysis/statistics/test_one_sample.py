"""One sample: median, interval, survival and restricted mean, against other programs and against known truth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import scipy

from factorylab.analysis.statistics.location import median, median_interval, restricted_mean, survival
from factorylab.analysis.statistics.sample import Sample
from tests.support.places import ROOT

CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/support/survival.json").read_text())["cases"]
ONE_SAMPLE = [case[side] for case in CASES for side in "ab"]
SIMULATED = 400
ALIKE = {"rel": 1e-9, "abs": 1e-9}


def sample(case: dict[str, Any]) -> Sample:
    return Sample.of(case["values"], case["censored"])


def reached(value: float | None) -> float:
    return float("inf") if value is None else value


@pytest.mark.parametrize("case", ONE_SAMPLE)
def test_survival_is_that_of_lifelines(case: dict[str, Any]) -> None:
    """Kaplan and Meier's curve and the restricted mean equal those of lifelines to 1e-9."""
    found = survival(sample(case))
    assert found.times.tolist() == case["times"]
    assert found.share.tolist() == pytest.approx(case["share"], **ALIKE)
    assert restricted_mean(sample(case), case["until"]).mean == pytest.approx(case["restricted_mean"], **ALIKE)


@pytest.mark.parametrize("case", [case for case in ONE_SAMPLE if any(case["censored"])])
def test_the_median_of_censored_values_is_that_of_lifelines(case: dict[str, Any]) -> None:
    """So is the median with its interval, also where it was not reached."""
    found, interval = median(sample(case)), median_interval(sample(case))
    assert interval is not None and not interval.exact
    assert found == pytest.approx(reached(case["median"]), **ALIKE)
    assert [interval.low, interval.high] == pytest.approx([reached(edge) for edge in case["interval"]], **ALIKE)


@pytest.mark.parametrize("case", CASES)
def test_the_log_rank_test_is_that_of_lifelines(case: dict[str, Any]) -> None:
    """The p of the log-rank test equals that of lifelines to 1e-9."""
    samples = (sample(case[key]) for key in "ab")
    made = (scipy.stats.CensoredData.right_censored(of.values, of.censored) for of in samples)
    assert scipy.stats.logrank(*made).pvalue == pytest.approx(case["logrank_p"], **ALIKE)


def test_half_is_half_though_a_product_is_rounded() -> None:
    """Of 20 values, two of them censored at the end, the tenth is the median: S(t) is exactly ½ there."""
    values = [*range(1, 19), 30, 30]
    assert median(Sample.of(values, [False] * 18 + [True] * 2)) == 10


@pytest.mark.parametrize("n", [5, 6, 7, 10, 20, 41])
def test_the_interval_of_the_median_is_made_of_order_statistics(n: int) -> None:
    """Its ends are scipy's (from six values on), and its confidence is what the binomial distribution says."""
    values = np.random.default_rng(n).normal(size=n)
    found = median_interval(Sample.of(values))
    assert found is not None and found.exact
    left_out = int(np.searchsorted(np.sort(values), found.low))
    assert found.confidence == pytest.approx(1 - 2 * scipy.stats.binom.cdf(left_out, n, 0.5), **ALIKE)
    theirs = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert (found.low, found.high) == (theirs.low, theirs.high) if n > 5 else (values.min(), values.max())


def test_five_values_give_their_range_and_say_what_it_is_worth() -> None:
    """Five values cannot give 95 %: the range is told with its 93.75 %; four values give no interval."""
    found = median_interval(Sample.of([3, 1, 2, 5, 4]))
    assert found is not None and (found.low, found.high, found.confidence) == (1, 5, 0.9375)
    assert median_interval(Sample.of([3, 1, 2, 5])) is None


@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_interval_of_the_median_covers_what_it_promises(n: int) -> None:
    """On samples with a known median it covers that as often as its confidence says, to three standard errors."""
    dice, hits = np.random.default_rng(n), 0
    for _ in range(SIMULATED):
        found = median_interval(Sample.of(dice.lognormal(2, 0.5, n)))
        assert found is not None
        hits += found.low <= np.exp(2) <= found.high
    spread = np.sqrt(found.confidence * (1 - found.confidence) / SIMULATED)
    assert abs(hits / SIMULATED - found.confidence) < 3 * spread


def test_the_interval_of_a_censored_median_covers_the_truth() -> None:
    """With a quarter of 20 values censored it covers the median in 93 to 97 of 100 samples, and 1.5 for chance."""
    law, dice, hits = scipy.stats.weibull_min(2, scale=12), np.random.default_rng(1), 0
    end = law.ppf(0.75)
    for _ in range(SIMULATED):
        times = law.rvs(20, random_state=dice)
        found = median_interval(Sample.of(np.minimum(times, end), times > end))
        assert found is not None
        hits += found.low <= law.median() <= found.high
    assert 0.915 < hits / SIMULATED < 0.985


def test_without_censoring_the_restricted_mean_is_the_mean() -> None:
    """Up to the largest value it is the plain mean, and its error that of the plain mean, with n in its variance."""
    values = np.random.default_rng(3).gamma(4, size=12)
    found = restricted_mean(Sample.of(values), values.max())
    assert found.mean == pytest.approx(values.mean(), **ALIKE)
    assert found.error == pytest.approx(values.std() / np.sqrt(12), **ALIKE)


def test_what_was_not_watched_has_no_mean() -> None:
    """A mean up to a time that no value reaches is refused, and so is a value that is no number."""
    with pytest.raises(ValueError, match="restricted to 9"):
        restricted_mean(Sample.of([1, 8]), 9)
    with pytest.raises(ValueError, match="not observed is left out"):
        Sample.of([1, float("nan")])
    assert np.isnan(median(Sample.of([])))


def test_the_median_of_mostly_censored_values_was_not_reached() -> None:
    """Of five values of which four never ended the median is infinite, and so is its interval's end."""
    found = Sample.of([3, 9, 9, 9, 9], [False, True, True, True, True])
    interval = median_interval(found)
    assert median(found) == float("inf") and interval is not None and interval.high == float("inf")
