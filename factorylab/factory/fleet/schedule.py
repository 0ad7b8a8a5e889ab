"""The open-loop schedule: when each reading is meant to be sent, decided before anything happens.

Reading n of a fleet has one intended time, whatever the producer does. In a stage of r readings per second
readings are 1/r s apart; a stage begins where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from factorylab.core.clock import NS
from factorylab.factory.config import RateStage


@dataclass(frozen=True)
class SendStep:
    """A stage in progress: from reading `first` on, at `t_ns`."""

    first: int
    t_ns: int
    rate_per_s: float


class SendSchedule:
    """Times of readings from number `first` on, which is due at `start_ns` (monotonic).

    `share` is this fleet's part of the rate.
    """

    def __init__(self, stages: Sequence[RateStage], share: float, start_ns: int, first: int = 0) -> None:
        self.steps: list[SendStep] = []
        at_ns = start_ns
        for stage in stages:
            rate = stage.rate_per_s * share
            self.steps.append(SendStep(first, at_ns, rate))
            lasts_s = stage.lasts_s or 0.0
            first += round(rate * lasts_s)
            at_ns += round(lasts_s * NS)
        self._firsts = np.array([step.first for step in self.steps], np.int64)
        self._times = np.array([step.t_ns for step in self.steps], np.int64)
        self._gaps_ns = np.array([NS / step.rate_per_s for step in self.steps])

    def intended_ns(self, first: int, count: int) -> NDArray[np.int64]:
        """Intended times of readings `first` ≤ n < `first + count`."""
        number = np.arange(first, first + count, dtype=np.int64)
        at = np.searchsorted(self._firsts, number, side="right") - 1
        since_ns: NDArray[np.int64] = np.rint((number - self._firsts[at]) * self._gaps_ns[at]).astype(np.int64)
        return self._times[at] + since_ns

    def due(self, now_ns: int) -> int:
        """How many readings (counted from number 0) are due at `now_ns`."""
        at = int(np.searchsorted(self._times, now_ns, side="right")) - 1
        if at < 0:
            return int(self._firsts[0])
        due = int(self._firsts[at]) + int((now_ns - int(self._times[at])) / self._gaps_ns[at]) + 1
        return min(due, int(self._firsts[at + 1])) if at + 1 < len(self.steps) else due
