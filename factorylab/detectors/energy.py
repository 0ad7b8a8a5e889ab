"""Energy: what the hour of the week usually takes, learnt slot by slot, at the level of the last days.

    expected = (1 + shift) · mean of the slot        shift: how far the last days were above or below their slots
    scale    = 1.2533 · max(deviation of the slot, spread · mean of the slot)

All of √x, since the deviations of a load grow with it: a stop at noon and a machine left on at night stand out alike.
An hour is learnt when it is over, so that its first readings do not excuse the rest, and what a reading teaches is
bounded by `clip` scales: a holiday must not hide the next one. A change that stays is learnt all the same, in weeks.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State, rounds

GAUSSIAN = 1.2533  # √(π/2): a standard deviation by a mean deviation, for Gaussian noise
WEEK_H = 168
SLOT = np.dtype([("weeks", "u1"), ("mean", "<f4"), ("deviation", "<f4")])
OWN_BINS = 4  # a sensor's own state has the room of so many slots, behind its slots
SENSOR = np.dtype(
    {
        # n: readings in the spread; mean, deviation, weeks: the slot as it was when the hour began that is not over;
        # sum, off: over the readings of this hour, what they teach and how far they are off
        "names": ["shift", "spread", "mean", "deviation", "sum", "off", "n", "bin", "weeks", "readings"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<f4", "<f4", "<u2", "<i2", "u1", "u1"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 26, 28, 29],  # aligned, which numpy is faster with
        "itemsize": OWN_BINS * SLOT.itemsize,
    }
)


class EnergyParameters(Parameters):
    hour_readings: int = Field(4, ge=1, le=60, description="readings an hour; of the sensor, not a choice")
    history_weeks: int = Field(3, ge=1, le=50, description="not scored before a slot has seen so many weeks")
    memory_weeks: float = Field(2.5, ge=1, description="time constant of a slot's mean and deviation")
    level_days: float = Field(2, gt=0, description="time constant of the shift: weather and season, not a day off")
    spread_weeks: float = Field(6, ge=1, le=6, description="time constant of the spread, a share that all slots have")
    floor: float = Field(0.0125, gt=0, description="least spread; of √x, so 2.5 % of x")
    clip: float = Field(2, gt=0, description="one reading teaches no more than this many scales")
    limit: float = Field(3, gt=0, description="|z| above it for `dwell_h` is a warning")
    dwell_h: float = Field(3, gt=0, description="hours in a row: a wrong pattern, not one late shift")
    jump: float = Field(
        50, gt=0, description="|z| of one reading above it is critical; at 20 a real plant raises one every four weeks"
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.jump < self.limit:
            raise ValueError(f"jump ({self.jump}) must not lie below limit ({self.limit})")
        return self


class Energy(Detector):
    """|√x − expected| / scale, by the hour of the week.

    A machine that tells its state has two slots an hour: without that a stop cannot be told from an outage. Use it for
    loads that follow a timetable.
    """

    NAME = "energy"
    BINS = 2 * WEEK_H + OWN_BINS  # hours of the week, stopped and running; and the sensor's own
    Parameters = EnergyParameters

    def layout(self) -> np.dtype[np.void]:
        return SLOT

    @property
    def warm_up(self) -> int:
        return int(self.parameters.history_weeks * WEEK_H * self.parameters.hour_readings)

    def score(self, sensors: Ints, values: Floats, bins: Ints | None = None, fed: list[Ints] | None = None) -> Floats:
        bins = np.zeros_like(sensors) if bins is None else bins
        slots, own_slots = self._rows(sensors * self.BINS + bins), np.arange(OWN_BINS, 0, -1)
        own = self._rows((sensors + 1)[:, None] * self.BINS - own_slots)
        self._changed[slots] = self._changed[own] = True
        roots, scores = np.sign(values) * np.sqrt(np.abs(values)), np.zeros(len(values))
        for rows in rounds(sensors) if fed is None else fed:
            at = own[rows]
            state = self.state[at].view(SENSOR)[:, 0]
            begins = (state["bin"] != bins[rows]) | (state["readings"] >= self.parameters.hour_readings)
            begins |= state["readings"] == 0
            if begins.any():
                self._learn_hours(sensors[rows][begins], state[begins])
                state[begins] = self._new_hours(state[begins], bins[rows][begins], slots[rows][begins])
            scores[rows] = self.step(state, roots[rows])
            self.state[at] = state.view(SLOT).reshape(-1, OWN_BINS)
        return scores

    def step(self, state: State, values: Floats) -> Floats:
        """Scores of √x; what they teach is kept with the sensor until the hour is over."""
        p: EnergyParameters = self.parameters
        size = np.abs(state["mean"])
        share = np.maximum(p.floor, GAUSSIAN * state["spread"])
        scale = np.maximum(GAUSSIAN * state["deviation"], share * size)
        scale[scale == 0] = np.inf  # nothing is known yet, or nothing else than 0
        expected = (1 + state["shift"]) * state["mean"]
        error = values - expected
        learnt = state["weeks"] >= p.history_weeks
        scores = np.where(learnt, np.abs(error) / scale, 0.0)
        bound = np.where(learnt, p.clip * scale, np.inf)
        error = np.minimum(np.maximum(error, -bound), bound)
        off = np.abs(error)
        self._learn(state, error, off, size, share / scale)
        state["sum"] += expected + error
        state["off"] += off
        state["readings"] += 1
        return scores

    def _learn(self, state: State, error: Floats, off: Floats, size: Floats, certainty: Floats) -> None:
        """Shift and spread; a slot says as much about the shift as it is certain of itself."""
        p: EnergyParameters = self.parameters
        day = 24 * p.hour_readings
        state["shift"] += error * size * (certainty * certainty / (p.level_days * day))
        seen = (state["weeks"] > 1) & (size > 0)
        n = state["n"] = np.minimum(state["n"] + seen, 65_000)
        weight = seen * np.maximum(1 / (p.spread_weeks * 7 * day), 1 / np.maximum(n, 1))
        state["spread"] += weight * (np.minimum(off, size) / np.where(seen, size, 1.0) - state["spread"])

    def _learn_hours(self, sensors: Ints, state: State) -> None:
        """Let slots learn from the hours that are over."""
        p: EnergyParameters = self.parameters
        over = state["readings"] > 0
        hour = state[over]
        n = np.minimum(hour["weeks"], 254) + 1  # more than 255 would change nothing
        known = hour["weeks"] > 0  # the first hour is the mean itself and says nothing about deviations
        weight = np.maximum(1 / p.memory_weeks, 1 / n)
        off = np.where(known, np.maximum(1 / p.memory_weeks, 1 / np.maximum(n - 1, 1)), 0.0)
        slot = np.empty(len(hour), SLOT)
        slot["weeks"] = n
        slot["mean"] = hour["mean"] + weight * (hour["sum"] / hour["readings"] - hour["mean"])
        slot["deviation"] = hour["deviation"] + off * (hour["off"] / hour["readings"] - hour["deviation"])
        at = self._rows(sensors[over] * self.BINS + hour["bin"])
        self.state[at], self._changed[at] = slot, True

    def _new_hours(self, state: State, bins: Ints, slots: Ints) -> State:
        """The state of sensors at the begin of an hour."""
        slot = self.state[slots]
        for name in ("weeks", "mean", "deviation"):
            state[name] = slot[name]
        state["readings"], state["sum"], state["off"], state["bin"] = 0, 0, 0, bins
        return state

    @staticmethod
    def bin_of(hour_of_week: Ints, running: NDArray[np.bool_]) -> Ints:
        """The slot of a reading; where a machine does not tell its state, it counts as running."""
        return hour_of_week.astype(np.int64) * 2 + running

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: EnergyParameters = self.parameters
        dwell = max(1, round(p.dwell_h * p.hour_readings))
        return (
            Rule(f"{prefix}_pattern", 2, (Level(p.limit, "warning"),), hysteresis=0, dwell=dwell),
            Rule(
                f"{prefix}_jump",
                2,
                (Level(p.jump, "critical"),),
                hysteresis=p.jump - p.limit,
            ),
        )
