"""The table: a method a row, the detector first, its baselines below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import pandas as pd

from factorylab.core.errors import UsageError
from factorylab.detectors.evaluation.detect import Detection, Given, detect, everything, three_sigma, usual
from factorylab.detectors.evaluation.measures import AlarmCounts, Score, count, score
from factorylab.detectors.recordings.recording import Recording


@dataclass(frozen=True)
class Judged:
    """Recordings, what each was found to hold, and the scores over all of them together."""

    recordings: Sequence[Recording]
    detections: Sequence[Detection]
    scores: Sequence[Score]


def judge(recordings: Sequence[Recording], method: str | None = None, given: Given | None = None) -> Judged:
    """Run a method (the usual one of the first recording by default) and the baselines over the same rows.

    Raises:
        UsageError: there is no recording, an unknown method, or recordings that cannot be counted together.
    """
    if not recordings:
        raise UsageError("there is no recording to score")
    kinds = {(r.windows is not None, r.truth is not None) for r in recordings}
    if len(kinds) > 1:
        raise UsageError("some recordings have labels and others windows or nothing: score them one by one")
    ((by_windows, known),) = kinds
    wanted = method or usual(recordings[0])
    detections = [detect(recording, wanted, given) for recording in recordings]
    none = [r.name for r, d in zip(recordings, detections, strict=True) if not (r.scored & d.ready).any()]
    if none:
        raise UsageError(f"{none[0]} is too short: {wanted} would still be learning at its end")
    rows = [score(wanted, _counts(recordings, detections), by_windows=by_windows, known=known)]
    for baseline in (three_sigma, everything):
        found = [baseline(r, d.ready) for r, d in zip(recordings, detections, strict=True)]
        rows.append(
            score(found[0].method, _counts(recordings, found), by_windows=by_windows, known=known, baseline=True)
        )
    return Judged(recordings, detections, rows)


def _counts(recordings: Sequence[Recording], detections: Sequence[Detection]) -> AlarmCounts:
    return reduce(add, (count(r, d) for r, d in zip(recordings, detections, strict=True)))


def frame(scores: Sequence[Score]) -> pd.DataFrame:
    """The scores for people, a method a row."""
    return pd.DataFrame([vars(row) for row in scores]).drop(columns="baseline").set_index("method")
