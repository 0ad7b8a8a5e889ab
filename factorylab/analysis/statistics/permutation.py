"""Whether the values of two samples differ: the permutation test.

Each value gets a score that depends on all values alone: its rank (ties share the mean of theirs), or with censored
values its log-rank score. If both samples are from one distribution, each assignment of the scores to them is as likely
as any other, so the test of the difference of their means needs no further assumption (Fisher 1935; Pitman 1937). Of
ranks it is the test of Wilcoxon (1945) and Mann and Whitney (1947). The log-rank score of a value that ended is Λ − 1,
of a censored one Λ, with Λ of its time by Nelson and Aalen over both samples; a sample's sum is the E − O of the
log-rank test (Peto and Peto 1972).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import scipy

from factorylab.analysis.statistics.sample import Floats, Sample, joined

EXACT_MAX = 20_000
"""As many assignments are enumerated (8 values against 8 have 12,870); of more, RESAMPLES are drawn."""
RESAMPLES = 49_999
SEED = 1
PAIRS_MAX = 10_000
"""Up to so many pairs of values the distribution of ranks without ties is computed instead."""
SAME = 1e-12  # sums of the same scores in another order differ by less, relative to the largest score


@dataclass(frozen=True)
class Permutation:
    """`p` of a difference in either direction; `less` of B below A, `greater` of B above A; `smallest` is the least p
    that so many values can give. `exact`: every assignment counts; else RESAMPLES were drawn, with SEED."""

    p: float
    less: float
    greater: float
    smallest: float
    exact: bool


def permutation(a: Sample, b: Sample) -> Permutation | None:
    """The test of B against A; None where one is empty, or all values are the same and there is nothing to test."""
    scored = scores(joined(a, b))
    if not len(a) or not len(b) or np.ptp(scored) == 0:
        return None
    if _ranked(a, b) and len(np.unique(scored)) == len(scored) and len(a) * len(b) <= PAIRS_MAX:
        less, greater, exact = _by_rank(a, b, "less"), _by_rank(a, b, "greater"), True
    else:
        null = Null(scored, len(a))
        less, greater = (float(p[0]) for p in null.tails(scored[None, : len(a)].mean(axis=1)))
        exact = null.exact
    return Permutation(min(2 * min(less, greater), 1.0), less, greater, smallest_p(len(a), len(b)), exact)


def smallest_p(n_a: int, n_b: int) -> float:
    """The least p in either direction: all values of one sample are below all of the other."""
    return min(2 / comb(n_a + n_b, n_a), 1.0)


def _ranked(a: Sample, b: Sample) -> bool:
    return not a.any_censored and not b.any_censored


def _by_rank(a: Sample, b: Sample, side: Literal["less", "greater"]) -> float:
    """Without ties the distribution is known for any number of values."""
    return float(scipy.stats.mannwhitneyu(b.values, a.values, alternative=side, method="exact").pvalue)


class Null:
    """The mean score of `n_a` of the scores, over their assignments."""

    def __init__(self, scored: Floats, n_a: int) -> None:
        self.exact = comb(len(scored), n_a) <= EXACT_MAX or 1 in {n_a, len(scored) - n_a}
        self._means = np.sort(self._of_assignments(scored, n_a))
        self._same = SAME * max(float(np.abs(scored).max()), 1.0)

    def _of_assignments(self, scored: Floats, n_a: int) -> Floats:
        """Enumerated or drawn by scipy, which takes no sample of one value: that is each of them in turn."""
        if n_a == 1:
            return scored
        if len(scored) - n_a == 1:
            return np.asarray((scored.sum() - scored) / n_a)
        drawn = scipy.stats.permutation_test(
            (scored[:n_a], scored[n_a:]), _mean_of_first, vectorized=True, alternative="two-sided",
            n_resamples=EXACT_MAX if self.exact else RESAMPLES, rng=np.random.default_rng(SEED),
        )  # fmt: skip
        return np.asarray(drawn.null_distribution)

    def tails(self, means: Floats) -> tuple[Floats, Floats]:
        """For mean scores of A: p of B below A and of B above A. What was observed counts as one of those drawn."""
        more = 0 if self.exact else 1
        count = len(self._means) + more
        above = len(self._means) - np.searchsorted(self._means, means - self._same, side="left")
        below = np.searchsorted(self._means, means + self._same, side="right")
        return (above + more) / count, (below + more) / count


def _mean_of_first(a: Floats, b: Floats, axis: int = -1) -> Floats:
    del b
    return np.asarray(a.mean(axis=axis))


def scores(sample: Sample) -> Floats:
    """The score of each value (see the module): the larger the value, the larger its score."""
    if not sample.any_censored:
        return np.asarray(scipy.stats.rankdata(sample.values), dtype=np.float64)
    ended = ~sample.censored
    times, many = np.unique(sample.values[ended], return_counts=True)
    at_risk = len(sample) - np.searchsorted(np.sort(sample.values), times, side="left")
    hazard = np.concatenate([[0.0], np.cumsum(many / at_risk)])
    return np.asarray(hazard[np.searchsorted(times, sample.values, side="right")] - ended, dtype=np.float64)
