"""Energy: what the hour of the week usually takes, learnt slot by slot."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class EnergyParameters(Parameters):
    hour_readings: int = Field(4, ge=1, le=60, description="readings an hour; of the sensor, not a choice")
    history_weeks: int = Field(3, ge=1, le=50, description="not scored before a slot has seen so many weeks")
    weight: float = Field(0.1, gt=0, le=1, description="α of mean and deviation: ten readings, two weeks and a half")
    floor: float = Field(0.05, gt=0, description="least scale as a share of the slot's mean")
    clip: float = Field(4, gt=0, description="one reading moves a slot by no more than this many scales")
    limit: float = Field(3, gt=0, description="|z| above it for `dwell` readings is a warning")
    dwell: int = Field(8, ge=1, description="readings in a row: two hours of a wrong pattern, not one late shift")
    jump: float = Field(
        50, gt=0, description="|z| of one reading above it is critical; at 6 a real plant raises four a week"
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.jump < self.limit:
            raise ValueError(f"jump ({self.jump}) must not lie below limit ({self.limit})")
        return self


class Energy(Detector):
    """z = (x − m) / max(1.2533 d, floor · m), m and d the mean and mean deviation of the hour of the week.

    A machine that tells its state has two slots an hour: without that a stop cannot be told from an outage.
    1.2533 = √(π/2) makes d a standard deviation for Gaussian noise. Use it for loads that follow a timetable.
    """

    NAME = "energy"
    BINS = 336  # hours of the week, stopped and running
    Parameters = EnergyParameters

    def layout(self) -> np.dtype[np.void]:
        return np.dtype([("n", "u1"), ("mean", "<f4"), ("deviation", "<f4")])

    @property
    def warm_up(self) -> int:
        return int(self.parameters.history_weeks * 168 * self.parameters.hour_readings)

    def step(self, state: State, values: Floats) -> Floats:
        p: EnergyParameters = self.parameters
        learnt = state["n"] >= p.history_weeks * p.hour_readings
        scale = np.maximum(1.2533 * state["deviation"], p.floor * np.abs(state["mean"]))
        error = values - state["mean"]
        scores = np.where(learnt & (scale > 0), np.abs(error) / np.where(scale > 0, scale, 1.0), 0.0)
        bound = np.where(learnt & (scale > 0), p.clip * scale, np.inf)
        error = np.minimum(np.maximum(error, -bound), bound)
        state["n"] = np.minimum(state["n"], 254) + 1  # more than 255 would change nothing
        weight = np.maximum(p.weight, 1 / state["n"])
        off = np.maximum(p.weight, 1 / np.maximum(state["n"] - 1, 1))
        known = state["n"] > 1  # the first reading is the mean itself and says nothing about deviations
        deviation = state["deviation"] + off * (np.abs(error) - state["deviation"])
        state["deviation"] = np.where(known, deviation, 0.0)
        state["mean"] += weight * error
        return scores

    @staticmethod
    def bin_of(hour_of_week: Ints, running: NDArray[np.bool_]) -> Ints:
        """The slot of a reading; where a machine does not tell its state, it counts as running."""
        return hour_of_week.astype(np.int64) * 2 + running

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: EnergyParameters = self.parameters
        return (
            Rule(f"{prefix}_pattern", 1, (Level(p.limit, "warning"),), hysteresis=0, dwell=p.dwell),
            Rule(
                f"{prefix}_jump",
                1,
                (Level(p.jump, "critical"),),
                hysteresis=p.jump - p.limit,
            ),
        )
