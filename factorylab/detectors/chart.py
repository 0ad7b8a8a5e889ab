"""EWMA chart over several channels (Roberts 1959): limits learnt from the first readings, means that go on slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class ChartParameters(Parameters):
    baseline: int = Field(400, ge=10, description="first readings, taken as healthy: the usual split of the test bed")
    weight: float = Field(0.1, gt=0, le=1, description="λ of the EWMA; 0.05–0.25 is usual (Montgomery)")
    follow: int = Field(300, ge=1, description="readings in which a mean follows a channel by one σ at most")
    limit: float = Field(1.6, gt=0, description="of the score; a single channel's must be 4.2 σ away")
    hysteresis: float = Field(0.3, ge=0, description="an episode ends at limit − hysteresis")


@compiled
def _walk(  # noqa: PLR0917 (a compiled loop takes plain numbers)
    state: State, rows: Ints, values: Floats, scores: Floats, baseline: int, weight: float, follow: int
) -> None:
    channels = values.shape[1]
    for i in range(len(rows)):
        own, total = state[rows[i]], 0.0
        own.n += 1
        learning, share = own.n <= baseline, max(weight, 1 / own.n)
        for c in range(channels):
            own.ewma[c] += share * (values[i, c] - own.ewma[c])
            if learning:
                _learn(own, c, values[i, c])
            spread = np.sqrt(own.ewma_squares[c] / baseline)
            z = (own.ewma[c] - own.mean[c]) / spread if spread > 0 else 0.0
            if not learning:
                own.mean[c] += min(max(z, -1.0), 1.0) * spread / follow
            total += z * z
        scores[i] = 0.0 if learning else np.sqrt(total / (channels + 6))


@compiled
def _learn(own: Any, c: int, value: float) -> None:
    """Moments of the baseline one reading at a time (Welford 1962)."""
    off = own.ewma[c] - own.ewma_mean[c]
    mean = own.ewma_mean[c] + off / own.n
    own.mean[c] += (value - own.mean[c]) / own.n
    own.ewma_squares[c] += off * (own.ewma[c] - mean)
    own.ewma_mean[c] = mean


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

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        p: ChartParameters = self.parameters
        channels = values.reshape(len(values), self.channels)
        _walk(state, rows, channels, scores, p.baseline, p.weight, p.follow)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: ChartParameters = self.parameters
        return (Rule(f"{prefix}_chart", 2, (Level(p.limit, "warning"),), p.hysteresis),)
