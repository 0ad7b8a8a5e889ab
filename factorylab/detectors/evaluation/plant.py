"""Known faults planted in a recording that has no labels, so that finding them can be counted.

Two faults of a plant's energy that no fixed limit can see, since the value itself is usual at another hour:
    left on    six hours of a night or weekend at a third of the plant's high load (its 95th percentile)
    outage     four working hours at its low load (the 5th percentile)
Each carries the noise of real intervals (log-normal, 10 %). What the recording itself holds of the unusual counts as
false alarm, so false alarms are an upper bound.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.collect import inside
from factorylab.detectors.recordings.recording import Bools, Recording, Window

LEFT_ON_H, OUTAGE_H, NOISE = 6, 4, 0.1


def plant(recording: Recording, count: int, seed: int) -> Recording:
    """The recording with `count` faults, left on and outage in turn, in scored rows, never two within a day.

    Raises:
        UsageError: the recording has labels already, or no room for so many.
    """
    if recording.truth is not None:
        raise UsageError(f"{recording.name} has labels: faults are planted only where there are none")
    rng = np.random.default_rng(seed)
    values, windows = recording.values.copy(), list[Window]()
    low, high = np.quantile(values[:, 0], (0.05, 0.95))
    free = recording.scored.copy()
    for number in range(count):
        hours, level = (LEFT_ON_H, high / 3) if number % 2 == 0 else (OUTAGE_H, low)
        size = round(hours * 3600 / recording.interval_s)
        usual = values[:, 0] < low + 0.1 * (high - low) if number % 2 == 0 else values[:, 0] > low + 0.3 * (high - low)
        may_start = np.flatnonzero(_stretches(usual, size, 0.8) & _stretches(free, size, 1))
        if not len(may_start):
            raise UsageError(f"{recording.name} has room for {number} faults, not for {count}: plant fewer")
        first = int(rng.choice(may_start))
        values[first : first + size, 0] = level * np.exp(rng.normal(0, NOISE, size))
        windows.append((recording.times[first], recording.times[first + size - 1]))
        day = round(86_400 / recording.interval_s)
        free[max(0, first - day) : first + size + day] = False
    return replace(recording, values=values, truth=inside(recording.times, windows), windows=tuple(sorted(windows)))


def _stretches(wanted: Bools, size: int, share: float) -> Bools:
    """Rows from which on at least `share` of `size` rows are wanted."""
    enough: Bools = np.convolve(wanted, np.ones(size), "full")[size - 1 :] >= share * size
    return enough
