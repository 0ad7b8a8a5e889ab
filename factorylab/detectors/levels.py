"""Level rules: a measure rises above a limit, one alert an episode.

A level becomes active when `dwell` readings in a row are above its limit (strictly), and inactive when a reading is
at or below `limit − hysteresis`. A reading that activates levels raises one alert, with the severity of the highest:
an episode that grows from warning to critical raises two, one that starts critical one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from factorylab.core.messages import Severity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    limit: float
    severity: Severity


@dataclass(frozen=True)
class Rule:
    """Limits ascend. A change of what a rule means needs a new `version`: alert ids contain it."""

    name: str
    version: int
    levels: tuple[Level, ...]
    hysteresis: float
    dwell: int = 1

    def holds(self, level: Level, value: float) -> bool:
        """Does an active level stay active at `value`?"""
        return value > level.limit - self.hysteresis


@dataclass
class Track:
    """Where one sensor stands, level by level: readings in a row above the limit, and whether it is active."""

    above: list[int]
    active: list[bool]

    @property
    def quiet(self) -> bool:
        return not any(self.above) and not any(self.active)


class LevelDetector:
    """One rule over many sensors, which are numbered from 0. Only those that are not quiet have a track."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tracks: dict[int, Track] = {}

    def score(self, sensors: Ints, values: Floats) -> list[tuple[int, Level]]:
        """Feed readings in order; the (row, highest level that became active) of each alert.

        Sensors that are quiet and stay below the lowest limit are passed over without a Python step.
        """
        hot = sensors[values > self.rule.levels[0].limit]
        if not len(hot) and not self.tracks:
            return []
        walked = np.isin(sensors, np.union1d(hot, np.fromiter(self.tracks, np.int64, len(self.tracks))))
        rows = np.flatnonzero(walked)
        alerts = []
        for row, sensor, value in zip(rows.tolist(), sensors[rows].tolist(), values[rows].tolist(), strict=True):
            level = self._step(sensor, value)
            if level is not None:
                alerts.append((row, level))
        return alerts

    def _step(self, sensor: int, value: float) -> Level | None:
        track = self.tracks.get(sensor)
        if track is None:
            if value <= self.rule.levels[0].limit:
                return None
            levels = len(self.rule.levels)
            track = self.tracks[sensor] = Track([0] * levels, [False] * levels)
        risen = None
        for at, level in enumerate(self.rule.levels):
            if self._rises(track, at, level, value):
                risen = level
        if track.quiet:
            del self.tracks[sensor]
        return risen

    def _rises(self, track: Track, at: int, level: Level, value: float) -> bool:
        if track.active[at]:
            track.active[at] = self.rule.holds(level, value)
            return False
        track.above[at] = track.above[at] + 1 if value > level.limit else 0
        if track.above[at] < self.rule.dwell:
            return False
        track.above[at], track.active[at] = 0, True
        return True
