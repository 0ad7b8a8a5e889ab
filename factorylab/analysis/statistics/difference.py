"""By how much the values of two samples differ, in the terms of the test in `permutation`.

Without censoring: the shift of Hodges and Lehmann (1963), the median of all differences b − a, with the interval of all
shifts that the rank test does not reject (Lehmann, Nonparametrics, 1975, 2.3); and the same of all ratios b ÷ a, where
every value is above zero. Without ties the interval's confidence is exact.

With censored values: the difference of the means restricted to the time up to which both were watched. Its interval is
an approximation: each variance is Greenwood's times m/(m − 1), where m values ended (Kaplan and Meier 1958), and
Student's t with the degrees of freedom of Welch (1947). Without that correction ten values cover the truth in 88 to 92
of 100 simulated cases, with it in 93 to 96.

*Equivalent* are samples whose difference is shown to lie within a margin: two one-sided tests, of B against A moved to
either end of the margin, both at 1 − CONFIDENCE (Schuirmann 1987).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from factorylab.analysis.statistics.location import restricted_mean
from factorylab.analysis.statistics.permutation import PAIRS_MAX, Permutation, permutation
from factorylab.analysis.statistics.sample import CONFIDENCE, ENOUGH, Floats, Interval, Sample


@dataclass(frozen=True)
class Effect:
    """B − A in the values' unit, of the means restricted to `until` where that is given, else their shift; and B ÷ A,
    None where a value is not above zero, or censored. An interval is None below ENOUGH values in either sample, of
    restricted means below ENOUGH that ended."""

    difference: float
    interval: Interval | None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    until: float | None = None


@dataclass(frozen=True)
class Margin:
    """How much larger or smaller B may be and still count as the same: by a difference, or by a factor above 1."""

    size: float
    relative: bool

    def moved(self, b: Sample, direction: int) -> Sample:
        """B where a difference of the whole margin in that direction is taken out."""
        if self.relative:
            return b.times(self.size**-direction)
        return b.plus(-direction * self.size)


def effect(a: Sample, b: Sample) -> Effect | None:
    """How much larger the values of B are; None where a sample is empty."""
    if not len(a) or not len(b):
        return None
    if a.any_censored or b.any_censored:
        return _of_restricted_means(a, b)
    difference, interval = _pairwise(np.subtract.outer(b.values, a.values), len(a), len(b))
    if min(a.values.min(), b.values.min()) <= 0:
        return Effect(difference, interval)
    return Effect(difference, interval, *_pairwise(np.divide.outer(b.values, a.values), len(a), len(b)))


def equivalence_p(a: Sample, b: Sample, margin: Margin) -> float | None:
    """p that B is the same as A within the margin; None where that cannot be tested: a sample is empty, or the margin
    is a factor and a value is not above zero."""
    if not len(a) or not len(b) or (margin.relative and min(a.values.min(), b.values.min()) <= 0):
        return None
    above, below = (permutation(a, margin.moved(b, direction)) for direction in (-1, 1))
    return max(_or_one(above, "greater"), _or_one(below, "less"))


def beyond_p(a: Sample, b: Sample, factor: float) -> tuple[float, float] | None:
    """p that B is more than `factor` times A, and that it is less; None where that cannot be tested."""
    if not len(a) or not len(b) or min(a.values.min(), b.values.min()) < 0:
        return None
    found = permutation(a, b.times(1 / factor))
    return _or_one(found, "greater"), _or_one(found, "less")


def _or_one(found: Permutation | None, side: str) -> float:
    """Values that are all the same show nothing."""
    return 1.0 if found is None else float(getattr(found, side))


def _pairwise(pairs: Floats, n_a: int, n_b: int) -> tuple[float, Interval | None]:
    """The median of all pairs, and between which of them its interval lies."""
    ordered = np.sort(pairs, axis=None)
    rank, confidence = _rank(*sorted((n_a, n_b)))
    if min(n_a, n_b) < ENOUGH:
        return float(np.median(ordered)), None
    interval = Interval(float(ordered[rank - 1]), float(ordered[-rank]), confidence, exact=len(ordered) <= PAIRS_MAX)
    return float(np.median(ordered)), interval


@lru_cache(maxsize=1024)
def _rank(n_a: int, n_b: int) -> tuple[int, float]:
    """The largest k with P(U ≤ k − 1) ≤ (1 − CONFIDENCE)/2, or 1, and the confidence of D₍ₖ₎ … D₍ₙₘ₊₁₋ₖ₎; of more than
    PAIRS_MAX pairs by the normal approximation."""
    pairs = n_a * n_b
    if pairs > PAIRS_MAX:
        spread = float(np.sqrt(pairs * (n_a + n_b + 1) / 12))
        return int(pairs / 2 - float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2)) * spread), CONFIDENCE
    below = np.cumsum(_of_u(n_a, n_b))
    rank = max(int(np.searchsorted(below, (1 - CONFIDENCE) / 2, side="right")), 1)
    return rank, 1 - 2 * float(below[rank - 1])


def _of_u(n_a: int, n_b: int) -> Floats:
    """P(U = 0), P(U = 1), … of the statistic of Mann and Whitney without ties: the coefficients of
    ∏ (1 − qⁿ⁺ⁱ) ÷ (1 − qⁱ), i = 1 … n_b, divided by their sum."""
    found = np.zeros(n_a * n_b + 1)
    found[0] = 1.0
    for i in range(1, n_b + 1):
        found[n_a + i :] -= found[: -(n_a + i)].copy()
        for start in range(i):
            found[start::i] = np.cumsum(found[start::i])
        found *= i / (n_a + i)
    return found


def _of_restricted_means(a: Sample, b: Sample) -> Effect:
    until = float(min(a.values.max(), b.values.max()))
    means = [restricted_mean(sample, until) for sample in (a, b)]
    difference = means[1].mean - means[0].mean
    if min(one.ended for one in means) < ENOUGH:
        return Effect(difference, None, until=until)
    parts = [one.error**2 * one.ended / (one.ended - 1) for one in means]
    if not any(parts):
        return Effect(difference, None, until=until)
    freedom = sum(parts) ** 2 / sum(part**2 / (one.n - 1) for part, one in zip(parts, means, strict=True))
    half = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * float(np.sqrt(sum(parts)))
    return Effect(difference, Interval(difference - half, difference + half, CONFIDENCE, exact=False), until=until)
