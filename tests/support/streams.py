"""Streams of values for detectors, and the episodes that they find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from factorylab.detectors.levels import Level, LevelDetector, Rule

Floats = NDArray[np.float64]


def episodes(values: list[float], *limits: float, hysteresis: float = 0, dwell: int = 1) -> list[tuple[int, float]]:
    """(row, limit) of each event of one sensor."""
    rule = Rule("r", 1, tuple(Level(limit, "warning") for limit in limits), hysteresis, dwell)
    rows = LevelDetector(rule).score(np.zeros(len(values), np.int64), np.array(values, np.float64))
    return [(row, level.limit) for row, level in rows]


def stream(seed: int, sensors: int, readings: int) -> tuple[list[str], NDArray[np.int64], Floats]:
    """Interleaved readings of several sensors that cross 80 and 100 often: names, seqs, values."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, sensors, readings)
    seqs = np.array([np.count_nonzero(which[:at] == which[at]) for at in range(readings)], np.int64)
    return [f"s{at}" for at in which], seqs, 80 + rng.normal(0, 12, readings).cumsum() % 40 - 15
