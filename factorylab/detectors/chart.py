"""EWMA chart over several channels (Roberts 1959): limits learnt from the first readings, means that go on slowly."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class ChartParameters(Parameters):
    baseline: int = Field(400, ge=10, description="first readings, taken as healthy: the usual split of the test bed")
    weight: float = Field(0.1, gt=0, le=1, description="λ of the EWMA; 0.05–0.25 is usual (Montgomery)")
    follow: int = Field(300, ge=1, description="readings in which a mean follows a channel by one σ at most")
    limit: float = Field(1.6, gt=0, description="of the score; a single channel's must be 4.2 σ away")
    hysteresis: float = Field(0.3, ge=0, description="an episode ends at limit − hysteresis")


class Chart(Detector):
    """√(Σ z² / (channels + 6)) with z = (E − μ) / σ, E the EWMA of a channel and μ its mean over the baseline.

    The upper quantiles of χ² with c degrees of freedom are about as c + 6 (of 1e-4 within 8 % for c ≤ 16), so one limit
    suits few channels and many. σ is that of E *as observed* over the baseline: readings are correlated, so that
    σ√(λ/(2−λ)) would be far too small. Healthy channels wander: after the baseline μ goes after E, by σ in `follow`
    readings at most, so little is learnt of a fault. Use it for machines with several channels and a start that is
    known to be healthy.
    """

    NAME = "chart"
    MULTICHANNEL = True
    Parameters = ChartParameters

    def layout(self) -> np.dtype[np.void]:
        channels = (self.channels,)
        names = ("ewma", "mean", "ewma_mean", "ewma_squares")
        return np.dtype([("n", "<i8"), *((name, "<f8", channels) for name in names)])

    @property
    def warm_up(self) -> int:
        return int(self.parameters.baseline)

    def step(self, state: State, values: Floats) -> Floats:
        p: ChartParameters = self.parameters
        values = values.reshape(len(values), self.channels)
        n = state["n"] = state["n"] + 1
        weight = np.maximum(p.weight, 1 / n)[:, None]
        ewma = state["ewma"] = state["ewma"] + weight * (values - state["ewma"])
        learning = n <= p.baseline
        if learning.any():
            self._learn(state, values, learning)
        spread = np.sqrt(state["ewma_squares"] / p.baseline)
        z = (ewma - state["mean"]) / np.where(spread > 0, spread, np.inf)
        follows = np.minimum(np.maximum(z, -1), 1) * spread / p.follow
        state["mean"] = np.where(learning[:, None], state["mean"], state["mean"] + follows)
        return np.where(learning, 0.0, np.sqrt(_summed(z * z) / (self.channels + 6)))

    def _learn(self, state: State, values: Floats, learning: np.ndarray) -> None:
        """Moments of the baseline one reading at a time (Welford 1962)."""
        n, ewma, use = state["n"][:, None], state["ewma"], learning[:, None]
        off = ewma - state["ewma_mean"]
        mean = state["ewma_mean"] + off / n
        state["mean"] = np.where(use, state["mean"] + (values - state["mean"]) / n, state["mean"])
        state["ewma_squares"] = np.where(use, state["ewma_squares"] + off * (ewma - mean), state["ewma_squares"])
        state["ewma_mean"] = np.where(use, mean, state["ewma_mean"])

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: ChartParameters = self.parameters
        return (Rule(f"{prefix}_chart", 2, (Level(p.limit, "warning"),), p.hysteresis),)


def _summed(values: Floats) -> Floats:
    """Row by row, one channel after the other: numpy's own sum may round otherwise for one row than for many."""
    total = np.zeros(len(values))
    for channel in values.T:
        total += channel
    return total
