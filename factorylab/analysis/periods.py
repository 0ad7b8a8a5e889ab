"""Before, during and after the faults: to which of these periods a reading belongs.

A reading belongs to the time *after* the faults where it was sent after the last healing, to the time *before* them
where it was stored, or already late, when the first was injected, and else to the time *during* them. Without a fault
all are before.
"""

from __future__ import annotations

import numpy as np

from factorylab.analysis.readings import Ints
from factorylab.analysis.service import fault_windows
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run

ALLOWED_S = 1.0  # what the baseline promises of 99 of 100 readings, and is checked for
PERIODS = ("before", "during", "after")
_NEVER = np.iinfo(np.int64).max


def allowed_s(run: Run) -> float:
    """The longest wait of an alert that counts as in time."""
    return run.scenario.objectives.latency_p99_s or ALLOWED_S


def fault_span(run: Run) -> tuple[int, int] | None:
    """From the first injection to the last healing, or to the run's end without one (monotonic ns); None: no fault."""
    windows = fault_windows(run)
    if windows.empty:
        return None
    healed = bool((windows["healed_ns"] > 0).all())
    last = windows["healed_ns"].max() if healed else max(run.phases.values())
    return int(windows["injected_ns"].min()), int(last)


def period(run: Run, t_ns: Ints, wait_s: Ints) -> Ints:
    """Of readings that were due at `t_ns` and waited so long to be stored: the index in PERIODS, −1 before the steady
    state."""
    first, last = run.once(fault_span) or (_NEVER, _NEVER)
    settled_ns = t_ns + (np.minimum(wait_s, allowed_s(run)) * NS).astype(np.int64)
    found = (settled_ns > first).astype(np.int8) + (t_ns >= last)
    found[t_ns < run.t0_ns] = -1
    return found
