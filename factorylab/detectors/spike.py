"""Spike: one reading far from the exponentially weighted mean of the last day."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import MOMENTS, Detector, Moments, Parameters, State, learnt, standardised


class SpikeParameters(Parameters):
    day_readings: float = Field(8640, gt=1, description="readings of a sensor a day; of the sensor, not a choice")
    memory_days: float = Field(1, gt=0, description="time constant of mean and spread: a day swing is normal")
    warm_up_days: float = Field(1, ge=0, description="not scored before: one whole day swing")
    limit: float = Field(5, gt=0, description="|z| above it: 6e-7 of Gaussian readings, so heavy tails are allowed for")
    clip: float = Field(4, gt=0, description="one reading moves mean and spread by no more than this many s")


@compiled
def _walk(  # noqa: PLR0917 (a compiled loop takes plain numbers)
    state: State, rows: Ints, values: Floats, scores: Floats, alpha: float, clip: float, warm_up: int
) -> None:
    for i in range(len(rows)):
        own = state[rows[i]]
        known = Moments(own.n, own.mean, own.variance)
        scores[i] = abs(standardised(known, values[i], warm_up))
        own.n, own.mean, own.variance = learnt(known, values[i], alpha, clip, warm_up)


class Spike(Detector):
    """|z| of a reading against mean and spread of about a day. Use it for readings that stand alone."""

    NAME = "spike"
    Parameters = SpikeParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype(MOMENTS)

    @property
    def warm_up(self) -> int:
        return int(self.parameters.warm_up_days * self.parameters.day_readings)

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        p: SpikeParameters = self.parameters
        _walk(state, rows, values, scores, 1 / (p.memory_days * p.day_readings), p.clip, self.warm_up)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_spike", 1, (Level(self.parameters.limit, "warning"),), hysteresis=0),)
