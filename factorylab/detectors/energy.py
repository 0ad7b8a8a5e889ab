"""Energy: what the hour of the week usually takes, learnt slot by slot, at the level of the last days.

    expected = (1 + shift) · mean of the slot        shift: how far the last days were above or below their slots
    scale    = 1.2533 · max(deviation of the slot, spread · mean of the slot)

All of √x, since the deviations of a load grow with it: a stop at noon and a machine left on at night stand out alike.
An hour is learnt when it is over, so that its first readings do not excuse the rest, and what a reading teaches is
bounded by `clip` scales: a holiday must not hide the next one. A change that stays is learnt all the same, in weeks.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State

GAUSSIAN = 1.2533  # √(π/2): a standard deviation by a mean deviation, for Gaussian noise
WEEK_H = 168
SLOT = np.dtype([("weeks", "u1"), ("mean", "<f4"), ("deviation", "<f4")])
SCALE, ONE = np.float32(GAUSSIAN), np.float32(1)  # with the precision of the state
OWN_BINS = 4  # a sensor's own state has the room of so many slots, behind its slots
BINS = 2 * WEEK_H + OWN_BINS
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


class _Constants(NamedTuple):
    """What the loop needs to know, as plain numbers; with the precision of the state where they meet it alone."""

    hour_readings: int
    history_weeks: int
    slot_share: float
    level_readings: np.float32
    spread_share: float
    floor: np.float32
    clip: np.float32


Tables = tuple[State, Ints, NDArray[np.int32], NDArray[np.bool_]]
"""State by row, the row of each reading's slot, rows by key, and which rows have changed."""


@compiled
def _walk(  # noqa: PLR0917 (a compiled loop takes plain arrays)
    mine: State, turns: Ints, sensors: Ints, bins: Ints, roots: Floats, scores: Floats, tables: Tables, p: _Constants
) -> None:
    state, slots, row_of, changed = tables
    for i in range(len(turns)):
        own = mine[turns[i]]
        if own.bin != bins[i] or own.readings >= p.hour_readings or own.readings == 0:
            if own.readings > 0:
                row = row_of[sensors[i] * BINS + own.bin]
                _learn_hour(state[row], own, p)
                changed[row] = True
            slot = state[slots[i]]
            own.weeks, own.mean, own.deviation = slot.weeks, slot.mean, slot.deviation
            own.readings, own.sum, own.off, own.bin = 0, 0, 0, bins[i]
        scores[i] = _scored(own, roots[i], p)


@compiled
def _scored(own: Any, root: float, p: _Constants) -> float:
    size = abs(own.mean)
    share = max(p.floor, SCALE * own.spread)
    scale = max(SCALE * own.deviation, share * size)
    if scale == 0:
        scale = np.float32(np.inf)  # nothing is known yet, or nothing else than 0
    expected = (ONE + own.shift) * own.mean
    error, learnt, score = root - expected, own.weeks >= p.history_weeks, 0.0
    if learnt:
        score = abs(error) / scale
        bound = p.clip * scale
        error = min(max(error, -bound), bound)
    off = abs(error)
    _learn(own, error, off, size, share / scale, p)
    own.sum = np.float32(own.sum + (expected + error))
    own.off = np.float32(own.off + off)
    own.readings += 1
    return score


@compiled
def _learn(  # noqa: PLR0917 (a compiled loop takes plain numbers)
    own: Any, error: float, off: float, size: np.float32, certainty: np.float32, p: _Constants
) -> None:
    """Shift and spread; a slot says as much about the shift as it is certain of itself."""
    own.shift = np.float32(own.shift + error * size * (certainty * certainty / p.level_readings))
    if own.weeks > 1 and size > 0:
        n: int = min(own.n + 1, 65_000)
        own.n, weight = n, max(p.spread_share, 1 / n)
        own.spread = np.float32(own.spread + weight * (min(off, float(size)) / size - own.spread))


@compiled
def _learn_hour(slot: Any, hour: Any, p: _Constants) -> None:
    """Let a slot learn from an hour that is over; the first one is its mean and says nothing about deviations."""
    n: int = min(hour.weeks, 254) + 1  # more than 255 would change nothing
    weight, readings = max(p.slot_share, 1 / n), np.float32(hour.readings)
    off = max(p.slot_share, 1 / max(n - 1, 1)) if hour.weeks > 0 else 0.0
    slot.weeks = n
    slot.mean = np.float32(hour.mean + weight * (hour.sum / readings - hour.mean))
    slot.deviation = np.float32(hour.deviation + off * (hour.off / readings - hour.deviation))


class Energy(Detector):
    """|√x − expected| / scale, by the hour of the week.

    A machine that tells its state has two slots an hour: without that a stop cannot be told from an outage. Use it for
    loads that follow a timetable.
    """

    NAME = "energy"
    BINS = BINS  # hours of the week, stopped and running; and the sensor's own
    Parameters = EnergyParameters

    def layout(self) -> np.dtype[np.void]:
        return SLOT

    @property
    def warm_up(self) -> int:
        return int(self.parameters.history_weeks * WEEK_H * self.parameters.hour_readings)

    def score(self, sensors: Ints, values: Floats, bins: Ints | None = None) -> Floats:
        """Scores of √x; what readings teach is kept with the sensor until the hour is over."""
        bins = np.zeros_like(sensors) if bins is None else bins
        slots, own_slots = self._rows(sensors * self.BINS + bins), np.arange(OWN_BINS, 0, -1)
        which, turns = np.unique(sensors, return_inverse=True)
        own = self._rows((which + 1)[:, None] * self.BINS - own_slots)
        mine = self.state[own].view(SENSOR)[:, 0]
        roots, scores = np.sign(values) * np.sqrt(np.abs(values)), np.zeros(len(values))
        tables = self.state, slots, self._row_of, self._changed
        _walk(mine, turns, sensors, bins, roots, scores, tables, self._constants)
        self.state[own] = mine.view(SLOT).reshape(-1, OWN_BINS)
        self._changed[slots] = self._changed[own] = True
        return scores

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        raise NotImplementedError("energy looks at two rows of state: see score")

    @cached_property
    def _constants(self) -> _Constants:
        p: EnergyParameters = self.parameters
        day = 24 * p.hour_readings
        return _Constants(
            p.hour_readings, p.history_weeks, 1 / p.memory_weeks, np.float32(p.level_days * day),
            1 / (p.spread_weeks * 7 * day), np.float32(p.floor), np.float32(p.clip),
        )  # fmt: skip

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
