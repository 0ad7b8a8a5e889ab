"""Missing: a gap between the numbers (or times) of two readings that follow each other."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class MissingParameters(Parameters):
    intervals: float = Field(3, ge=1, description="a longer gap raises it: one or two lost readings happen")
    quiet: int = Field(
        100, ge=1, description="readings without a gap that end an episode: a flood of gaps is one alert"
    )


class Missing(Detector):
    """Intervals between a reading and the one before, by whatever counts them: seq in the factory, time in recordings.

    The gap is kept until `quiet` readings came without one.
    """

    NAME = "missing"
    Parameters = MissingParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([("seen", "?"), ("last", "<f8"), ("gap", "<f8"), ("since", "<i4")])

    def step(self, state: State, values: Floats) -> Floats:
        p: MissingParameters = self.parameters
        gap = values - state["last"]
        new = (gap > p.intervals) & state["seen"]
        state["last"], state["seen"] = values, True
        if not (new.any() or state["gap"].any()):  # the usual case
            return np.zeros(len(values))
        state["since"] = np.where(new, 0, state["since"] + 1)
        state["gap"] = np.where(new, gap, np.where(state["since"] < p.quiet, state["gap"], 0.0))
        return state["gap"].copy()

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_missing", 1, (Level(self.parameters.intervals, "warning"),), hysteresis=0),)
