"""Level CUSUM: a mean that moves away slowly (Page 1954), standardised by its own recent past."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import MOMENTS, Detector, Moments, Parameters, State, learnt, standardised


class LevelParameters(Parameters):
    day_readings: float = Field(8640, gt=1, description="readings of a sensor a day; of the sensor, not a choice")
    memory_days: float = Field(3, gt=0, description="time constant of mean and spread; slower than the drift sought")
    warm_up_days: float = Field(1, ge=0, description="not scored before: one whole day swing")
    k: float = Field(1.5, gt=0, description="slack in s: a shift below it is never summed; see docs/detectors.md")
    h_days: float = Field(0.35, gt=0, description="alarm when the sum exceeds this times the readings of a day")
    clip: float = Field(4, gt=0, description="one reading adds no more than this many s")


@compiled
def _walk(  # noqa: PLR0917 (a compiled loop takes plain numbers)
    state: State, rows: Ints, values: Floats, scores: Floats, alpha: float, clip: float, warm_up: int, k: float,
    most: float,
) -> None:  # fmt: skip
    for i in range(len(rows)):
        own = state[rows[i]]
        known = Moments(own.n, own.mean, own.variance)
        z = min(max(standardised(known, values[i], warm_up), -clip), clip)
        above, below = max(own.above + z - k, 0.0), max(own.below - z - k, 0.0)
        scores[i] = max(above, below) / most
        own.above, own.below = (0.0, 0.0) if scores[i] > 1 else (above, below)
        own.n, own.mean, own.variance = learnt(known, values[i], alpha, clip, warm_up)


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

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        p: LevelParameters = self.parameters
        alpha, most = 1 / (p.memory_days * p.day_readings), p.h_days * p.day_readings
        _walk(state, rows, values, scores, alpha, p.clip, self.warm_up, p.k, most)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_level", 1, (Level(1, "warning"),), hysteresis=0),)
