"""EWMA chart over several channels (Roberts 1959), its limits learnt from the first readings and then frozen."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class ChartParameters(Parameters):
    baseline: int = Field(400, ge=10, description="first readings, taken as healthy: the usual split of the test bed")
    weight: float = Field(0.1, gt=0, le=1, description="λ of the EWMA; 0.05–0.25 is usual (Montgomery)")
    drift: float = Field(0.5, ge=0, description="share of the squared drift within the baseline in the variance")
    limit: float = Field(3.5, gt=0, description="in standard deviations of the EWMA; 3 is the textbook's")
    hysteresis: float = Field(0, ge=0, description="an episode ends at limit − hysteresis")


class Chart(Detector):
    """max over channels of |E − μ| / σ, with E the EWMA of a channel and μ its mean over the baseline.

    σ² is the variance of E *as observed* over the baseline, since readings are correlated and σ√(λ/(2−λ)) would be far
    too small, plus `drift` times the squared drift of E over the baseline: a channel that wanders while all is well
    has less to say. Use it for machines with several channels and a start that is known to be healthy.
    """

    NAME = "chart"
    MULTICHANNEL = True
    Parameters = ChartParameters

    def layout(self) -> np.dtype[np.void]:
        channels = (self.channels,)
        names = ("ewma", "mean", "ewma_mean", "ewma_squares", "ewma_trend")
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
        spread = np.sqrt(self._variance(state))
        far = np.abs(ewma - state["mean"]) / np.where(spread > 0, spread, np.inf)
        return np.where(learning, 0.0, far.max(axis=1))

    def _learn(self, state: State, values: Floats, learning: np.ndarray) -> None:
        """Moments of the baseline one reading at a time (Welford 1962), and Σ(t − t̄)E for its straight line."""
        n, ewma, use = state["n"][:, None], state["ewma"], learning[:, None]
        off = ewma - state["ewma_mean"]
        mean = state["ewma_mean"] + off / n
        centred = n - 1 - (self.parameters.baseline - 1) / 2
        state["mean"] = np.where(use, state["mean"] + (values - state["mean"]) / n, state["mean"])
        squares = state["ewma_squares"] + off * (ewma - mean)
        state["ewma_squares"] = np.where(use, squares, state["ewma_squares"])
        state["ewma_trend"] = np.where(use, state["ewma_trend"] + centred * ewma, state["ewma_trend"])
        state["ewma_mean"] = np.where(use, mean, state["ewma_mean"])

    def _variance(self, state: State) -> Floats:
        size = self.parameters.baseline
        slope = state["ewma_trend"] / (size * (size * size - 1) / 12)
        drift = slope * size
        variance: Floats = state["ewma_squares"] / size + self.parameters.drift * drift * drift
        return variance

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: ChartParameters = self.parameters
        return (Rule(f"{prefix}_chart", 1, (Level(p.limit, "warning"),), p.hysteresis),)
