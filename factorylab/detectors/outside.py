"""Out of range: a value that no healthy sensor can give."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class RangeParameters(Parameters):
    low: float = Field(-40, description="below it is impossible; a common limit of industrial probes, °C")
    high: float = Field(250, description="above it is impossible; a common limit of industrial probes, °C")


class OutOfRange(Detector):
    """How far a value lies outside the physical limits; 0 inside. It tells of a broken sensor, not of the machine."""

    NAME = "range"
    Parameters = RangeParameters

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        p: RangeParameters = self.parameters
        scores[:] = np.maximum(np.maximum(p.low - values, values - p.high), 0.0)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_range", 1, (Level(0, "warning"),), hysteresis=0),)
