"""Scores of a rig by windows, in all, by load and by kind of fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from factorylab.detectors.evaluation.raw_vibration.file_names import HEALTHY
from factorylab.detectors.evaluation.raw_vibration.trial import RigAlarms, RigStretch


def frame(verdicts: Sequence[RigAlarms]) -> pd.DataFrame:
    """A method a row: recall, false positive rate, F1 and J by windows."""
    return pd.DataFrame([{"method": method, **measures(verdicts, method)} for method in verdicts[0].on]).set_index(
        "method"
    )


def by(verdicts: Sequence[RigAlarms], key: Callable[[RigStretch], str]) -> pd.DataFrame:
    """The detector's windows in alarm by a key of the stretches: load, or kind of fault."""
    groups = dict.fromkeys(key(verdict.stretch) for verdict in verdicts)
    rows = []
    for group in groups:
        its = [verdict for verdict in verdicts if key(verdict.stretch) == group]
        rows.append({"": group, **measures(its, next(iter(its[0].on)))})
    return pd.DataFrame(rows).set_index("").dropna(axis=1, how="all")


def measures(verdicts: Sequence[RigAlarms], method: str) -> dict[str, float | int | None]:
    """Of the windows of some stretches; None: there is no window that could tell."""
    alarms = {True: np.zeros(0, bool), False: np.zeros(0, bool)}
    for verdict in verdicts:
        faulty = verdict.stretch.role != HEALTHY
        alarms[faulty] = np.r_[alarms[faulty], verdict.on[method]]
    tp, fp = int(alarms[True].sum()), int(alarms[False].sum())
    missed = len(alarms[True]) - tp
    recall = tp / len(alarms[True]) if len(alarms[True]) else None
    rate = fp / len(alarms[False]) if len(alarms[False]) else None
    both = recall is not None and rate is not None
    return {
        "recall": recall,
        "false_positive_rate": rate,
        "f1": 2 * tp / (2 * tp + fp + missed) if both and tp + fp + missed else None,
        "j": recall - rate if recall is not None and rate is not None else None,
        "healthy_windows": len(alarms[False]),
        "faulty_windows": len(alarms[True]),
    }
