"""Missing: a gap between the numbers (or times) of two readings that follow each other."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class MissingParameters(Parameters):
    intervals: float = Field(3, ge=1, description="a longer gap raises it: one or two lost readings happen")
    quiet: int = Field(
        100, ge=1, description="readings without a gap that end an episode: a flood of gaps is one alert"
    )


@compiled
def _walk(  # noqa: PLR0917 (a compiled loop takes plain numbers)
    state: State, rows: Ints, values: Floats, scores: Floats, intervals: float, quiet: int
) -> None:
    for i in range(len(rows)):
        own, gap = state[rows[i]], values[i] - state[rows[i]].last
        if own.seen and gap > intervals:
            own.gap, own.since = gap, 0
        elif own.gap > 0:
            own.since += 1
            own.gap = own.gap if own.since < quiet else 0.0
        own.last, own.seen = values[i], True
        scores[i] = own.gap


class Missing(Detector):
    """Intervals between a reading and the one before, by whatever counts them: seq in the factory, time in recordings.

    The gap is kept until `quiet` readings came without one.
    """

    NAME = "missing"
    Parameters = MissingParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([("seen", "?"), ("last", "<f8"), ("gap", "<f8"), ("since", "<i4")])

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        _walk(state, rows, values, scores, self.parameters.intervals, self.parameters.quiet)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        return (Rule(f"{prefix}_missing", 1, (Level(self.parameters.intervals, "warning"),), hysteresis=0),)
