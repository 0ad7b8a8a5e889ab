"""A rig's cycles: one text file a sensor with a row a cycle, and `profile.txt` with the condition of each component.

Each cycle becomes one row: the mean of every sensor over the cycle, since the load within a cycle is always the same.
The rig was recorded from failed to healthy; machines age the other way, so cycles are replayed from the last to the
first, and a detector learns from the healthy ones. After a change of the cooler the oil needs hours to reach its new
temperature: those cycles are true of neither state and are not scored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.recording import Recording

PROFILE = "profile.txt"
HEALTHY = {"cooler": (0, 100), "valve": (1, 100), "pump": (2, 0), "accumulator": (3, 130)}  # column, healthy value
NO_SENSORS = ("profile", "description", "documentation")
SETTLING_CYCLES = 211  # of 60 s: 3.5 h, after which the rig's documented healthy and stable cycles begin
CYCLE = np.timedelta64(60, "s")


def is_rig(path: Path) -> bool:
    return (path / PROFILE).is_file()


def read_rig(folder: Path, component: str | None) -> Recording:
    """The rig with `component` (the cooler by default) as what may be faulty.

    Raises:
        UsageError: an unknown component, or files that do not fit each other.
    """
    component = component or "cooler"
    if component not in HEALTHY:
        raise UsageError(f"{folder}: no component {component!r} in {PROFILE}: one of {', '.join(HEALTHY)}")
    files = [f for f in sorted(folder.glob("*.txt*")) if f.name.split(".")[0].lower() not in NO_SENSORS]
    try:
        profile = np.loadtxt(folder / PROFILE)
        values = np.stack([np.loadtxt(file, ndmin=2).mean(axis=1) for file in files], axis=1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is not a rig's recording: {error}") from None
    if len(profile) != len(values):
        raise UsageError(f"{folder}: {PROFILE} has {len(profile)} cycles, the sensors {len(values)}")
    column, healthy = HEALTHY[component]
    truth = profile[:, column] != healthy
    changed = np.r_[True, np.diff(profile[:, HEALTHY["cooler"][0]]) != 0]
    since = np.arange(len(truth)) - np.maximum.accumulate(np.where(changed, np.arange(len(truth)), 0))
    times = np.datetime64("2000-01-01", "us") + np.arange(len(truth)) * CYCLE
    names = tuple(file.name.split(".")[0] for file in files)
    return Recording(
        f"{folder.name} {component}", times, values[::-1], names, truth[::-1], None, (since >= SETTLING_CYCLES)[::-1]
    )
