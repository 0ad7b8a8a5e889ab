"""What a detection is worth: the standard measures, from counts that can be added over recordings.

    FAR = FP / (FP + TN)      share of the healthy rows in alarm
    MAR = FN / (FN + TP)      share of the faulty rows without alarm
    J   = 1 − FAR − MAR       Youden's index: 0 for guessing and for "everything anomalous", 1 for perfect
    F1  = 2 TP / (2 TP + FP + FN)
    false alarms a week       alarms that start outside every window, by the time outside

Rows are counted where there is a label a row. Where faults are given as windows, what matters is whether an alarm
starts inside: F1 and MAR count windows, then, FAR still rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factorylab.detectors.evaluation.detect import Detection
from factorylab.detectors.recordings.recording import Bools, Recording, Window

WEEK_S = 7 * 86_400


@dataclass(frozen=True)
class AlarmCounts:
    """`healthy_s` is the scored time outside windows; TP to TN count rows. Without any truth all rows are healthy."""

    rows: int = 0
    windows: int = 0
    found: int = 0
    alarms: int = 0
    false_alarms: int = 0
    healthy_s: float = 0.0
    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: AlarmCounts) -> AlarmCounts:
        return AlarmCounts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Score:
    """A row of the table. None: the recording cannot tell."""

    method: str
    baseline: bool
    windows: int
    windows_found: int
    alarms: int
    false_alarms: int
    false_alarms_per_week: float | None
    f1: float | None
    far: float | None
    mar: float | None
    j: float | None
    rows: int


def count(recording: Recording, detection: Detection) -> AlarmCounts:
    """Counts over the rows that are scored and for which the detector was ready."""
    use = recording.scored & detection.ready
    truth = recording.truth if recording.truth is not None else np.zeros(len(use), bool)
    windows = _windows(recording, use, truth)
    starts = recording.times[detection.starts & use]
    starts_in = detection.starts & use & truth
    found = sum(bool(((starts >= a) & (starts <= b)).any()) for a, b in windows)
    if recording.windows is None:  # an alarm that began before a labelled fault and is on in it has found it
        found = _runs_touched(truth & use, detection.on & use)
    false_alarms = int((detection.starts & use & ~truth).sum())
    healthy_s = recording.interval_s * int((use & ~truth).sum())
    on = detection.on
    return AlarmCounts(
        int(use.sum()), len(windows), found, int(starts_in.sum()) + false_alarms, false_alarms, healthy_s,
        *(int((use & a & b).sum()) for a, b in ((truth, on), (~truth, on), (truth, ~on), (~truth, ~on))),
    )  # fmt: skip


def _windows(recording: Recording, use: Bools, truth: Bools) -> list[Window]:
    """The faults that lie in scored rows, at least in part."""
    if recording.windows is None:
        edges = np.flatnonzero(np.diff(np.r_[False, truth & use, False].astype(np.int8)))
        return [(recording.times[a], recording.times[b - 1]) for a, b in edges.reshape(-1, 2)]
    times = recording.times[use]
    return [(a, b) for a, b in recording.windows if ((times >= a) & (times <= b)).any()]


def _runs_touched(truth: Bools, on: Bools) -> int:
    run = np.cumsum(np.diff(np.r_[False, truth].astype(np.int8)) > 0)
    return len(np.unique(run[truth & on]))


def score(method: str, counts: AlarmCounts, *, by_windows: bool, known: bool, baseline: bool = False) -> Score:
    """The measures of some counts; `known` says whether there is a truth at all."""
    c = counts
    weeks = c.healthy_s / WEEK_S
    tp, fp, fn = (c.found, c.false_alarms, c.windows - c.found) if by_windows else (c.tp, c.fp, c.fn)
    far = _share(c.fp, c.fp + c.tn)
    mar = _share(fn, fn + tp) if known else None
    f1 = _share(2 * tp, 2 * tp + fp + fn) if known else None
    j = 1 - far - mar if far is not None and mar is not None else None
    return Score(
        method, baseline, c.windows, c.found, c.alarms, c.false_alarms, c.false_alarms / weeks if weeks else None,
        f1, far, mar, j, c.rows,
    )  # fmt: skip


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
