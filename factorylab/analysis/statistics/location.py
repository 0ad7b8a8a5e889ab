"""Where the values of one sample lie: median, its interval, and, of censored values, survival and restricted mean.

Without censoring the interval of the median is made of order statistics. P(X₍ₖ₎ ≤ median ≤ X₍ₙ₊₁₋ₖ₎) =
1 − 2·P(Bin(n, ½) ≤ k − 1) whatever the distribution, so its coverage is known exactly (Hahn and Meeker, Statistical
Intervals, 1991, 5.2). k is the largest with at least CONFIDENCE; for n = 5 there is none, and the range has 93.75 %.

With censored values: S(t) by Kaplan and Meier (1958); the median is the first t with S(t) ≤ ½; its interval holds all t
for which the log-log interval of S(t) (Greenwood's variance) contains ½ (Brookmeyer and Crowley, 1982).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy  # which loads its parts when they are asked for: scipy.stats takes as long as all else here

from factorylab.analysis.statistics.sample import CONFIDENCE, ENOUGH, Floats, Interval, Sample

HALF = 0.5 + 1e-12  # S(t) is a product: ten of twenty values may give a little more than ½


@dataclass(frozen=True)
class Survival:
    """S(t) = P(T > t) from each of `times` on, with its pointwise interval; before the first it is 1."""

    times: Floats
    share: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class RestrictedMean:
    """The mean of min(T, until) and its standard error, in the values' unit; `ended` of `n` values ended before."""

    mean: float
    error: float
    until: float
    ended: int
    n: int


def median(sample: Sample) -> float:
    """Infinite where more than half of the values are censored before it; NaN of no value."""
    if not len(sample):
        return float("nan")
    if not sample.any_censored:
        return float(np.median(sample.values))
    found = survival(sample)
    return _first(found.times, found.share <= HALF)


def median_interval(sample: Sample) -> Interval | None:
    """The interval of the median; None below ENOUGH values."""
    n = len(sample)
    if n < ENOUGH:
        return None
    if sample.any_censored:
        found = survival(sample)
        low, high = (_first(found.times, share <= HALF) for share in (found.low, found.high))
        return Interval(low, high, CONFIDENCE, exact=False)
    below = max(int(scipy.stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)), 1) - 1  # values left out at each end: k − 1
    ordered = np.sort(sample.values)
    covered = 1 - 2 * float(scipy.stats.binom.cdf(below, n, 0.5))
    return Interval(float(ordered[below]), float(ordered[n - 1 - below]), covered, exact=True)


def survival(sample: Sample) -> Survival:
    """Kaplan and Meier's estimate, by scipy. Where S(t) is 1 or 0 the formula of its interval has no value: it is S(t)
    there, as in lifelines."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The confidence interval is undefined")
        found = scipy.stats.ecdf(scipy.stats.CensoredData.right_censored(sample.values, sample.censored)).sf
        band = found.confidence_interval(CONFIDENCE, method="log-log")
    share = np.asarray(found.probabilities, dtype=np.float64)
    low, high = (np.where(np.isnan(edge.probabilities), share, edge.probabilities) for edge in (band.low, band.high))
    return Survival(np.asarray(found.quantiles, dtype=np.float64), share, low, high)


def restricted_mean(sample: Sample, until: float) -> RestrictedMean:
    """The area below S(t) up to `until`, with variance Σ dᵢ/(nᵢ(nᵢ − dᵢ))·Aᵢ², where of nᵢ at risk dᵢ end at tᵢ and
    Aᵢ is the area from tᵢ on (Klein and Moeschberger, Survival Analysis, 2003, 4.5).

    Raises:
        ValueError: `until` is later than the last value: what came then was not seen.
    """
    if not len(sample) or until > sample.values.max():
        raise ValueError(f"a mean restricted to {until:g} needs a value that is as large")
    found = survival(sample)
    inside = found.times < until
    edges = np.concatenate([[0.0], found.times[inside], [until]])
    areas = np.diff(edges) * np.concatenate([[1.0], found.share[inside]])
    after = np.cumsum(areas[::-1])[::-1][1:]  # from each time on
    ended = np.array([np.count_nonzero((sample.values == t) & ~sample.censored) for t in found.times[inside]])
    at_risk = np.array([np.count_nonzero(sample.values >= t) for t in found.times[inside]])
    counts = (ended > 0) & (ended < at_risk)
    d, n, area = ended[counts], at_risk[counts], after[counts]
    error = float(np.sqrt((d / (n * (n - d)) * area**2).sum()))
    return RestrictedMean(float(areas.sum()), error, float(until), int(ended.sum()), len(sample))


def _first(times: Floats, there: np.typing.NDArray[np.bool_]) -> float:
    """The first time that is marked; infinite where none is."""
    return float(times[int(np.argmax(there))]) if there.any() else float("inf")
