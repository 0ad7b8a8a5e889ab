"""Vibration health: zones of the velocity RMS, and features that leave what is usual at the same load, either way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from pydantic import Field

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

    def step(self, state: State, values: Floats) -> Floats:
        values = values.reshape(len(values), self.channels)
        state["n"] += 1
        new, scores = state["n"] <= self.fitted, np.zeros(len(values))
        if new.any():
            state[new] = self._fit(state[new], values[new])
        if not new.all():
            known = state[~new]
            far = self._distance(known, values[~new])
            scores[~new] = self._judge(known, far)
            state[~new] = known
        return scores

    def _fit(self, state: State, values: Floats) -> State:
        """Mean and covariance (in `matrix`) of the first windows; the last one makes of them what distances need."""
        n = state["n"][:, None]
        start = np.where(
            n == 1, values, np.minimum(state["mean"], values)
        )  # the lower of two: a first knock is no mean
        state["mean"] = np.where(n <= 2, start, state["mean"])
        spread = np.sqrt(np.diagonal(state["matrix"], axis1=1, axis2=2))
        bound = KNOCK * np.maximum(spread, FIRST * np.abs(state["mean"]))
        error = np.minimum(np.maximum(values - state["mean"], -bound), bound)
        state["mean"] += np.where(n > 2, error / n, 0.0)
        share = 1 / n[:, :, None]
        state["matrix"] = (1 - share) * (state["matrix"] + share * error[:, :, None] * error[:, None, :])
        state["ewma"] += np.maximum(self.parameters.weight, 1 / n) * (error - state["ewma"])
        state["slow"] += (state["ewma"] * state["ewma"] - state["slow"]) / n
        done = state["n"] == self.fitted
        if done.any():
            covariance = state["matrix"][done]
            variance = np.diagonal(covariance, axis1=1, axis2=2)
            state["variance"][done] = variance * (self.fitted / (self.fitted - 1))
            slow = state["slow"][done] - self._usual_share * state["variance"][done]
            state["slow"][done] = self.parameters.wander * np.maximum(slow, 0.0)
            state["matrix"][done] = inverse_root(self._shrunk(covariance, np.sqrt(variance)))
        return state

    @cached_property
    def _usual_share(self) -> float:
        """The average share of one window's variance that the EWMA has over the fitted windows."""
        shares = [1.0]
        for n in range(2, self.fitted + 1):
            weight = max(self.parameters.weight, 1 / n)
            shares.append((1 - weight) ** 2 * shares[-1] + weight**2)
        return sum(shares) / len(shares)

    def _shrunk(self, covariance: Floats, spread: Floats) -> Floats:
        scale = np.where(spread > 0, spread, np.inf)
        kept = self.fitted / (self.fitted + self.channels / 2)
        correlation = covariance / scale[:, :, None] / scale[:, None, :]
        return np.asarray(np.where(np.eye(self.channels) > 0, 1.0, kept * correlation))

    def _distance(self, state: State, values: Floats) -> Floats:
        p: VibrationParameters = self.parameters
        age = state["n"] - np.where(state["n"] > p.baseline, p.baseline, self.fitted)  # each part begins anew
        weight = np.maximum(p.weight, 1 / age)
        wander = np.maximum((p.floor * state["mean"]) ** 2, state["slow"])
        bound = p.clip * np.sqrt(state["variance"] + wander)
        difference = np.minimum(np.maximum(values - state["mean"], -bound), bound)
        state["ewma"] += weight[:, None] * (difference - state["ewma"])
        state["share"] = (1 - weight) * (1 - weight) * state["share"] + weight * weight
        spread = np.sqrt(state["share"][:, None] * state["variance"] + wander)
        q = state["ewma"] / np.where(spread > 0, spread, np.inf)
        return root_mean_square(state["matrix"], q)

    def _judge(self, state: State, far: Floats) -> Floats:
        """Scores; 0 while distances are held out, which only add to what is known of them."""
        p: VibrationParameters = self.parameters
        held_out = state["n"] <= p.baseline
        share = 1 / np.maximum(state["n"] - self.fitted, 1)
        error = np.where(held_out, far - state["far_mean"], 0.0)
        state["far_mean"] += share * error
        grown = (1 - share) * (state["far_variance"] + share * error * error)
        state["far_variance"] = np.where(held_out, grown, state["far_variance"])
        few = 1 + FEW / (p.baseline - self.fitted)
        limit = np.maximum(state["far_mean"] + p.margin * few * np.sqrt(state["far_variance"]), p.least)
        return np.asarray(np.where(held_out, 0.0, far / limit))

    @classmethod
    def bin_of(cls, load_percent: Floats) -> Ints:
        """The bin of a load; what is above twice the rated load shares one."""
        return np.minimum(load_percent / 10, cls.BINS - 1).astype(np.int64)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: VibrationParameters = self.parameters
        levels = (Level(p.warning, "warning"), Level(p.critical, "critical"))
        return (Rule(f"{prefix}_change", 2, levels, p.hysteresis, p.dwell),)


def inverse_root(matrices: Floats) -> Floats:
    """W with W A Wᵀ = 1 for each positive definite A, by elimination; shape (…, p, p).

    Element by element, since a library's sums may differ in the last bit from one machine to the next.
    """
    left, root = matrices.copy(), np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape).copy()
    for at in range(matrices.shape[-1]):
        factor = left[:, at + 1 :, at, None] / left[:, at, None, at, None]
        root[:, at + 1 :] -= factor * root[:, at, None, :]
        left[:, at + 1 :] -= factor * left[:, at, None, :]
    return np.asarray(root / np.sqrt(np.diagonal(left, axis1=1, axis2=2))[:, :, None])


def root_mean_square(matrices: Floats, vectors: Floats) -> Floats:
    """√(|A v|² / p) for each A (p, p) and v (p), summed in a fixed order."""
    turned, total = np.zeros_like(vectors), np.zeros(len(vectors))
    for at in range(vectors.shape[1]):
        turned += matrices[:, :, at] * vectors[:, at, None]
    for at in range(vectors.shape[1]):
        total += turned[:, at] * turned[:, at]
    return np.asarray(np.sqrt(total / vectors.shape[1]))
