"""Stuck: a sensor that says the same thing again and again."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class StuckParameters(Parameters):
    times: int = Field(10, ge=2, description="identical values in a row that raise it: noise never repeats so often")


class Stuck(Detector):
    """How often the value has come in a row. Use it for sensors with noise that is larger than their resolution."""

    NAME = "stuck"
    Parameters = StuckParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([("last", "<f8"), ("times", "<i4")])

    def step(self, state: State, values: Floats) -> Floats:
        times = np.where(values == state["last"], state["times"], 0) + 1
        state["last"] = values
        state["times"] = np.minimum(times, 1_000_000)
        return times.astype(np.float64)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_stuck", 1, (Level(self.parameters.times - 1, "warning"),), hysteresis=0),)
