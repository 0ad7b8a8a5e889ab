"""Stuck: a sensor that says the same thing again and again."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class StuckParameters(Parameters):
    times: int = Field(10, ge=2, description="identical values in a row that raise it: noise never repeats so often")


MOST = 1_000_000  # times that are counted: no episode is told apart by more


@compiled
def _walk(state: State, rows: Ints, values: Floats, scores: Floats) -> None:
    for i in range(len(rows)):
        own = state[rows[i]]
        times = (own.times if values[i] == own.last else 0) + 1
        own.last, own.times = values[i], min(times, MOST)
        scores[i] = times


class Stuck(Detector):
    """How often the value has come in a row. Use it for sensors with noise that is larger than their resolution."""

    NAME = "stuck"
    Parameters = StuckParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([("last", "<f8"), ("times", "<i4")])

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        _walk(state, rows, values, scores)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_stuck", 1, (Level(self.parameters.times - 1, "warning"),), hysteresis=0),)
