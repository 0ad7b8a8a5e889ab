"""Vibration health: zones of the velocity RMS, and features that leave what is usual at the same load, either way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class Zones(NamedTuple):
    """Velocity RMS in mm/s where a zone ends: A/B, B/C (no longer for long) and C/D (damage)."""

    a_b: float
    b_c: float
    c_d: float


ZONES: Mapping[str, Zones] = {
    "class I": Zones(0.71, 1.8, 4.5),  # ISO 10816-1, annex B: small machines
    "class II": Zones(1.12, 2.8, 7.1),
    "class III": Zones(1.8, 4.5, 11.2),
    "class IV": Zones(2.8, 7.1, 18),
    "group 2 rigid": Zones(1.4, 2.8, 4.5),  # ISO 10816-3 and 20816-3: 15–300 kW
    "group 2 flexible": Zones(2.3, 4.5, 7.1),
    "group 1 rigid": Zones(2.3, 4.5, 7.1),  # above 300 kW
    "group 1 flexible": Zones(3.5, 7.1, 11),
}


KNOCK = 3.0  # while mean and spread are learnt, one window changes them by no more s than this
FIRST = 0.05  # share of the mean that s is taken for at least, for that
FEW = 8  # held-out windows whose spread is half as large as it should be: neighbours resemble each other


class VibrationParameters(Parameters):
    baseline: int = Field(40, ge=10, description="windows per load bin that are learnt from, taken as healthy")
    weight: float = Field(0.3, gt=0, le=1, description="λ of the EWMA of each feature: small shifts show over windows")
    clip: float = Field(6, gt=0, description="one window counts for no more than this many s of a feature")
    floor: float = Field(0.08, ge=0, description="share of its mean by which a healthy feature wanders for long")
    wander: float = Field(2, ge=0, description="the slow part of a feature's variance, as learnt, counts so many times")
    margin: float = Field(3.5, ge=0, description="the limit is this many s above the mean of held-out healthy windows")
    least: float = Field(2, gt=0, description="least limit of the distance: few windows may show too little")
    warning: float = Field(1, gt=0, description="distance, in units of that limit, above which it is a warning")
    critical: float = Field(1.5, gt=0, description="distance, in units of that limit, above which it is critical")
    hysteresis: float = Field(0.1, ge=0, description="an episode ends at limit − hysteresis")
    dwell: int = Field(1, ge=1, description="windows in a row; the EWMA looks at several anyway")


class _Constants(NamedTuple):
    """What the loop needs to know, as plain numbers."""

    baseline: int
    fitted: int
    usual_share: float
    weight: float
    clip: float
    floor: float
    wander: float
    margin: float
    least: float


@compiled
def _walk(state: State, rows: Ints, values: Floats, scores: Floats, p: _Constants) -> None:
    for i in range(len(rows)):
        own = state[rows[i]]
        own.n += 1
        if own.n <= p.fitted:
            _fit(own, values[i], p)
        else:
            scores[i] = _judged(own, _distance(own, values[i], p), p)


@compiled
def _fit(own: Any, values: Floats, p: _Constants) -> None:
    """Mean and covariance (in `matrix`) of the first windows; the last one makes of them what distances need."""
    error, share = np.zeros(len(values)), 1 / own.n
    for c in range(len(values)):
        if own.n <= 2:  # the lower of two: a first knock is no mean
            own.mean[c] = values[c] if own.n == 1 else min(own.mean[c], values[c])
        bound = KNOCK * max(np.sqrt(own.matrix[c, c]), FIRST * abs(own.mean[c]))
        error[c] = min(max(values[c] - own.mean[c], -bound), bound)
        if own.n > 2:
            own.mean[c] += error[c] / own.n
        own.ewma[c] += max(p.weight, share) * (error[c] - own.ewma[c])
        own.slow[c] += (own.ewma[c] * own.ewma[c] - own.slow[c]) / own.n
    for c in range(len(values)):
        for d in range(len(values)):
            own.matrix[c, d] = (1 - share) * (own.matrix[c, d] + share * error[c] * error[d])
    if own.n == p.fitted:
        _settle(own, len(values), p)


@compiled
def _settle(own: Any, channels: int, p: _Constants) -> None:
    """Variances, and W with W R Wᵀ = 1 for the shrunk correlations R."""
    correlation, spread, kept = np.ones((channels, channels)), np.zeros(channels), p.fitted / (p.fitted + channels / 2)
    for c in range(channels):
        variance = own.matrix[c, c]
        own.variance[c] = variance * (p.fitted / (p.fitted - 1))
        own.slow[c] = p.wander * max(own.slow[c] - p.usual_share * own.variance[c], 0.0)
        spread[c] = np.sqrt(variance) if variance > 0 else np.inf
    for c in range(channels):
        for d in range(channels):
            if c != d:
                correlation[c, d] = kept * (own.matrix[c, d] / spread[c] / spread[d])
    root = inverse_root(correlation)
    for c in range(channels):
        for d in range(channels):
            own.matrix[c, d] = root[c, d]


@compiled
def inverse_root(matrix: Floats) -> Floats:
    """W with W A Wᵀ = 1 for a positive definite A of shape (p, p), by elimination.

    Element by element, since a library's sums may differ in the last bit from one machine to the next.
    """
    size = len(matrix)
    left, root = matrix.copy(), np.zeros((size, size))
    for c in range(size):
        root[c, c] = 1.0
    for at in range(size):
        for c in range(at + 1, size):
            factor = left[c, at] / left[at, at]
            for d in range(size):
                root[c, d] -= factor * root[at, d]
                left[c, d] -= factor * left[at, d]
    for c in range(size):
        scale = np.sqrt(left[c, c])
        for d in range(size):
            root[c, d] /= scale
    return root


@compiled
def _distance(own: Any, values: Floats, p: _Constants) -> float:
    age = own.n - (p.baseline if own.n > p.baseline else p.fitted)  # each part begins anew
    weight = max(p.weight, 1 / age)
    own.share = (1 - weight) * (1 - weight) * own.share + weight * weight
    channels, turned, total = len(values), np.zeros(len(values)), 0.0
    for c in range(channels):
        lasting = p.floor * own.mean[c]
        wander = max(lasting * lasting, own.slow[c])
        bound = p.clip * np.sqrt(own.variance[c] + wander)
        difference = min(max(values[c] - own.mean[c], -bound), bound)
        own.ewma[c] += weight * (difference - own.ewma[c])
        spread = np.sqrt(own.share * own.variance[c] + wander)
        q = own.ewma[c] / spread if spread > 0 else 0.0
        for d in range(channels):
            turned[d] += own.matrix[d, c] * q
    for c in range(channels):
        total += turned[c] * turned[c]
    return float(np.sqrt(total / channels))


@compiled
def _judged(own: Any, far: float, p: _Constants) -> float:
    """The score; 0 while distances are held out, which only add to what is known of them."""
    if own.n <= p.baseline:
        share = 1 / max(own.n - p.fitted, 1)
        error = far - own.far_mean
        own.far_mean += share * error
        own.far_variance = (1 - share) * (own.far_variance + share * error * error)
        return 0.0
    few = 1 + FEW / (p.baseline - p.fitted)
    return float(far / max(own.far_mean + p.margin * few * np.sqrt(own.far_variance), p.least))


class Vibration(Detector):
    """Distance of all features together from the healthy windows of the same load, in units of a limit that is learnt.

    Let d be a feature less its mean, clipped to ±`clip` s, and E the EWMA of d, which begins with weights 1, 1/2, 1/3 …

        q = E / √(v s² + φ²)             v: share of a window's variance that E still has
        φ² = max((floor · mean)², wander · (E² − v s²) on average while learning)         what averaging does not remove
        T = √(qᵀ R⁻¹ q / features)       R: correlations, shrunk towards none by features / (features + 2 windows)

    (a multivariate EWMA chart, Lowry et al. 1992, with room for slow wander). Of the `baseline` the first three fifths
    give mean, s and R; the rest is held out, and its T give the limit, so that heavy tails, windows that resemble their
    neighbours, and drift count as they were seen.

    Two-sided, and per load: a healthy gearbox can vibrate more than a broken one. Zones alone miss bearing faults,
    which are loud in kurtosis and crest factor long before the velocity rises. No conformity is claimed.
    """

    NAME = "vibration"
    MULTICHANNEL = True
    BINS = 21  # 10 % of load each
    Parameters = VibrationParameters

    def layout(self) -> np.dtype[np.void]:
        vectors = [(name, "<f8", (self.channels,)) for name in ("mean", "variance", "slow", "ewma")]
        numbers = [(name, "<f8") for name in ("share", "far_mean", "far_variance")]
        return np.dtype([("n", "<i8"), *vectors, ("matrix", "<f8", (self.channels, self.channels)), *numbers])

    @property
    def warm_up(self) -> int:
        return int(self.parameters.baseline)

    @property
    def fitted(self) -> int:
        """Windows of the baseline that give means and correlations; the others are held out."""
        return int(self.parameters.baseline) * 3 // 5

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        _walk(state, rows, values.reshape(len(values), self.channels), scores, self._learnt)

    @cached_property
    def _learnt(self) -> _Constants:
        p: VibrationParameters = self.parameters
        return _Constants(
            p.baseline, self.fitted, self._usual_share, p.weight, p.clip, p.floor, p.wander, p.margin, p.least
        )

    @cached_property
    def _usual_share(self) -> float:
        """The average share of one window's variance that the EWMA has over the fitted windows."""
        shares = [1.0]
        for n in range(2, self.fitted + 1):
            weight = max(self.parameters.weight, 1 / n)
            shares.append((1 - weight) ** 2 * shares[-1] + weight**2)
        return sum(shares) / len(shares)

    @classmethod
    def bin_of(cls, load_percent: Floats) -> Ints:
        """The bin of a load; what is above twice the rated load shares one."""
        return np.minimum(load_percent / 10, cls.BINS - 1).astype(np.int64)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: VibrationParameters = self.parameters
        levels = (Level(p.warning, "warning"), Level(p.critical, "critical"))
        return (Rule(f"{prefix}_change", 2, levels, p.hysteresis, p.dwell),)
