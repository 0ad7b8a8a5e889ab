"""Level CUSUM: a mean that moves away slowly (Page 1954), standardised by its own recent past."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Level, Rule
from factorylab.detectors.streaming import MOMENTS, Detector, Parameters, State, learn, standardised


class LevelParameters(Parameters):
    day_readings: float = Field(8640, gt=1, description="readings of a sensor a day; of the sensor, not a choice")
    memory_days: float = Field(3, gt=0, description="time constant of mean and spread; slower than the drift sought")
    warm_up_days: float = Field(1, ge=0, description="not scored before: one whole day swing")
    k: float = Field(1.5, gt=0, description="slack in s: a shift below it is never summed; see docs/detectors.md")
    h_days: float = Field(0.35, gt=0, description="alarm when the sum exceeds this times the readings of a day")
    clip: float = Field(4, gt=0, description="one reading adds no more than this many s")


class DriftLevel(Detector):
    """S⁺ = max(0, S⁺ + clip(z) − k), S⁻ mirrored, the larger in units of h; both 0 again after an alarm.

    Use it for levels that leave slowly and stay away. It is blind to single readings: pair it with `spike`.
    """

    NAME = "level"
    Parameters = LevelParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([*MOMENTS, ("above", "<f8"), ("below", "<f8")])

    @property
    def warm_up(self) -> int:
        return int(self.parameters.warm_up_days * self.parameters.day_readings)

    def step(self, state: State, values: Floats) -> Floats:
        p: LevelParameters = self.parameters
        z = np.minimum(np.maximum(standardised(state, values, self.warm_up), -p.clip), p.clip)
        above = np.maximum(state["above"] + z - p.k, 0.0)
        below = np.maximum(state["below"] - z - p.k, 0.0)
        scores: Floats = np.maximum(above, below) / (p.h_days * p.day_readings)
        state["above"] = np.where(scores > 1, 0.0, above)
        state["below"] = np.where(scores > 1, 0.0, below)
        learn(state, values, 1 / (p.memory_days * p.day_readings), p.clip, self.warm_up)
        return scores

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_level", 1, (Level(1, "warning"),), hysteresis=0),)
