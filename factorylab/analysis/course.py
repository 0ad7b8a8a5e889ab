"""A run's course in a few numbers."""

from __future__ import annotations

import numpy as np

from factorylab.analysis.rates import throughput
from factorylab.history.saved_run import Run
from factorylab.history.sparkline import PARTS, Course

BIN_S = 0.25


def course(run: Run) -> Course | None:
    """Readings stored per second (acknowledged, of a program under test) in equal parts of the run's time; None where
    nothing was sent."""
    found = throughput(run, BIN_S)
    if found.empty:
        return None
    name = "acked" if found["stored_per_s"].isna().all() else "stored"
    parts = np.array_split(found[f"{name}_per_s"].to_numpy(float), min(PARTS, len(found)))
    return Course(of=name, seconds=len(found) * BIN_S, per_s=[round(float(part.mean()), 1) for part in parts])
