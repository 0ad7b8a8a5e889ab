"""Running detectors over a recording, and the simple rules that they must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factorylab.core.errors import UsageError
from factorylab.detectors.detector_catalog import build, detectors
from factorylab.detectors.energy import Energy
from factorylab.detectors.levels import Level, LevelDetector, Rule
from factorylab.detectors.recordings.recording import Bools, Floats, Recording
from factorylab.detectors.streaming import Detector

DAY_S, HOUR_S, WEEK_HOURS = 86_400, 3_600, 168
SHARE_LEARNT = 0.4  # of a recording, at most, for the baseline of the chart
Given = Mapping[str, object]


@dataclass(frozen=True)
class Detection:
    """Per row: is an alarm on, does one start, and had every detector learnt enough before?"""

    method: str
    on: Bools
    starts: Bools
    ready: Bools


def usual(recording: Recording) -> str:
    """The detectors for a recording that nothing more is known of: several channels tell on each other."""
    return "chart" if len(recording.channels) > 1 else "level+spike"


def detect(recording: Recording, method: str, given: Given | None = None) -> Detection:
    """Run the detectors `a+b` together: an alarm of either is one.

    Detectors of one channel watch each channel as a sensor of its own. What belongs to the recording and is no choice
    (readings a day and an hour) is taken from its times.

    Raises:
        UsageError: an unknown detector or parameter.
    """
    rows = len(recording.times)
    on, starts, ready = np.zeros(rows, bool), np.zeros(rows, bool), np.ones(rows, bool)
    names = method.split("+")
    _check(names, given or {})
    for name in names:
        detector = _built(recording, name, given or {})
        scores = scores_of(recording, detector)
        for channel in scores.T:
            for rule in detector.rules(""):
                more_on, more_starts = episodes(rule, channel)
                on |= more_on
                starts |= more_starts
        ready &= np.arange(rows) >= detector.warm_up
    return Detection(method, on & ready, starts & ready, ready)


def scores_of(recording: Recording, detector: Detector) -> Floats:
    """Scores by row and channel; detectors of several channels give one column."""
    rows, channels = recording.values.shape
    if detector.NAME == "missing":
        clock = (recording.times - recording.times[0]) / np.timedelta64(1, "s") / recording.interval_s
        return detector.score(np.zeros(rows, np.int64), clock).reshape(rows, 1)
    bins = _bins(recording, detector, rows)
    if detector.MULTICHANNEL:
        return detector.score(np.zeros(rows, np.int64), recording.values, bins).reshape(rows, 1)
    sensors = np.tile(np.arange(channels), rows)
    repeated = None if bins is None else np.repeat(bins, channels)
    return detector.score(sensors, recording.values.ravel(), repeated).reshape(rows, channels)


def _bins(recording: Recording, detector: Detector, rows: int) -> np.ndarray | None:
    if detector.NAME == "energy":  # a stamp is the end of its interval
        stamps = recording.times if recording.clock is None else recording.clock
        middle = stamps - np.timedelta64(round(recording.interval_s * 500_000), "us")
        hours = (middle - np.datetime64("1970-01-05")) // np.timedelta64(1, "h")  # a Monday
        return Energy.bin_of(hours.astype(np.int64) % WEEK_HOURS, np.ones(rows, bool))
    return np.zeros(rows, np.int64) if detector.BINS > 1 else None


def _check(names: list[str], given: Given) -> None:
    known = {field for name in names if name in detectors() for field in detectors()[name].Parameters.model_fields}
    unknown = [name for name in given if name not in known]
    if unknown and known:
        raise UsageError(f"no parameter {unknown[0]!r} of {'+'.join(names)}: one of {', '.join(sorted(known))}")


def _built(recording: Recording, name: str, given: Given) -> Detector:
    if name not in detectors():
        build(name)  # says which there are
    fields = detectors()[name].Parameters.model_fields
    of_recording: dict[str, object] = {
        "day_readings": DAY_S / recording.interval_s,
        "hour_readings": max(1, round(HOUR_S / recording.interval_s)),
    }
    if name == "chart":  # of a short recording the greater part is to be scored
        of_recording["baseline"] = max(10, min(fields["baseline"].default, int(SHARE_LEARNT * len(recording.times))))
    parameters = {key: value for key, value in {**of_recording, **given}.items() if key in fields}
    return build(name, parameters, len(recording.channels) if detectors()[name].MULTICHANNEL else 1)


def episodes(rule: Rule, scores: Floats) -> tuple[Bools, Bools]:
    """Of one sensor's scores: the rows in which the rule is active, and those that raise an alarm."""
    on, starts = np.zeros(len(scores), bool), np.zeros(len(scores), bool)
    for row, level in LevelDetector(rule).score(np.zeros(len(scores), np.int64), scores):
        starts[row] = True
        over = np.flatnonzero(scores[row:] <= level.limit - rule.hysteresis)
        on[row : row + over[0] if len(over) else None] = True
    return on, starts


def everything(recording: Recording, ready: Bools) -> Detection:
    """An alarm in every row: whatever beats nothing else must beat this."""
    return Detection("everything anomalous", ready, ready, ready)


def three_sigma(recording: Recording, ready: Bools) -> Detection:
    """A value farther than 3 standard deviations from the mean of the rows that the detector learnt from.

    Those are the rows before the first one that is ready, at least a tenth of the recording.
    """
    first = max(int(np.argmax(ready)), len(ready) // 10)
    learnt = recording.values[:first]
    spread = learnt.std(axis=0)
    z = np.abs(recording.values - learnt.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    on, starts = episodes(Rule("three_sigma", 1, (Level(3, "warning"),), hysteresis=0), z.max(axis=1))
    return Detection("fixed 3 sigma", on & ready, starts & ready, ready)
