"""The detector `vibration` on windows of a rig: learn from some healthy windows, judge the others and all faulty ones.

Of each load the healthy files are shared out: the first half is learnt from, the other half judged. Where there is one
file, its first half of windows is learnt from. Features are divided by what is usual in healthy windows of the same
load, so that all loads together tell how they scatter; evidence begins anew with each stretch that is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.detector_catalog import build
from factorylab.detectors.evaluation.detect import episodes
from factorylab.detectors.evaluation.raw_vibration.file_names import HEALTHY
from factorylab.detectors.vibration import Vibration

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEAST = 4  # healthy windows of a load that are learnt from
LEAST_ALL = 20
# A rig is watched for minutes and a machine for weeks, so less of what it does is slow wander. Chosen on made-up rigs.
OF_RIGS: Mapping[str, object] = {"floor": 0.01, "least": 1.0, "clip": 10.0}


@dataclass(frozen=True)
class RigStretch:
    """Consecutive windows of one file at one load (NaN: nobody knows): one row of `features` a window."""

    file: str
    role: str
    load: float
    features: Floats

    @property
    def at(self) -> str:
        """The load as a key."""
        return "unknown" if np.isnan(self.load) else f"{self.load:g}"


@dataclass(frozen=True)
class Shares:
    """What is learnt from, by load and in the order of time, what is judged, and what has an unknown load."""

    learnt: Mapping[str, Floats]
    judged: Sequence[RigStretch]
    unknown: Sequence[RigStretch]
    within_files: bool  # were files cut in two, since a load has only one healthy file?

    @property
    def usual(self) -> dict[str, Floats]:
        """Medians of those windows that the detector does not hold out."""
        return {load: np.median(windows[: _fitted(windows)], axis=0) for load, windows in self.learnt.items()}


@dataclass(frozen=True)
class RigAlarms:
    """Windows of a stretch that are in alarm, by method."""

    stretch: RigStretch
    on: Mapping[str, Bools]


def share_out(stretches: Sequence[RigStretch]) -> Shares:
    """Which windows are learnt from.

    Raises:
        UsageError: there are no healthy or no faulty windows to judge, or too few to learn from.
    """
    for kind, there in (("healthy", {HEALTHY}), ("faulty", {stretch.role for stretch in stretches} - {HEALTHY})):
        if not any(stretch.role in there for stretch in stretches):
            raise UsageError(
                f"no file with a whole window is {kind}: both kinds are needed, or take a smaller --window"
            )
    by_load = defaultdict[str, list[RigStretch]](list)
    for stretch in stretches:
        if stretch.role == HEALTHY:
            by_load[stretch.at].append(stretch)
    learnt, judged, within = dict[str, Floats](), list[RigStretch](), False
    for load, healthy in by_load.items():
        first, rest, cut = _halves(healthy)
        if len(first) >= LEAST:
            learnt[load], within = first, within or cut
            judged += rest
    faulty = [stretch for stretch in stretches if stretch.role != HEALTHY]
    judged += [stretch for stretch in faulty if stretch.at in learnt]
    count = sum(map(len, learnt.values()))
    if count < LEAST_ALL:
        raise UsageError(
            f"{count} healthy windows can be learnt from, and {LEAST_ALL} are needed, at least {LEAST} a load (half of "
            "the healthy ones are kept for judging): take a smaller --window, or more healthy files"
        )
    if not any(stretch.role != HEALTHY for stretch in judged):
        loads = ", ".join(dict.fromkeys(stretch.at for stretch in faulty))
        raise UsageError(
            f"no faulty window can be judged: healthy ones are at the loads {', '.join(learnt)}, faulty ones at {loads}"
        )
    return Shares(learnt, judged, [stretch for stretch in stretches if stretch.at not in learnt], within)


def _halves(healthy: Sequence[RigStretch]) -> tuple[Floats, list[RigStretch], bool]:
    """Windows to learn from and what is left to judge; whether a file was cut for it."""
    files = list(dict.fromkeys(stretch.file for stretch in healthy))
    if len(files) > 1:
        first = files[: (len(files) + 1) // 2]
        learnt = np.concatenate([stretch.features for stretch in healthy if stretch.file in first])
        return learnt, [stretch for stretch in healthy if stretch.file not in first], False
    left = sum(len(stretch.features) for stretch in healthy) // 2
    parts, rest = list[Floats](), list[RigStretch]()
    for stretch in healthy:
        take = min(left, len(stretch.features))
        parts.append(stretch.features[:take])
        rest.append(RigStretch(stretch.file, stretch.role, stretch.load, stretch.features[take:]))
        left -= take
    return np.concatenate(parts), [stretch for stretch in rest if len(stretch.features)], True


def judge(shares: Shares, names: Sequence[str], given: Mapping[str, object]) -> list[RigAlarms]:
    """Run the detector and the simple rules that it must beat; `names` are those of the features."""
    usual = shares.usual
    learnt = [_relative(windows, usual[load]) for load, windows in shares.learnt.items()]
    fitted = [windows[: _fitted(windows)] for windows in learnt]
    held_out = [windows[_fitted(windows) :] for windows in learnt]
    known = np.concatenate(fitted + held_out)
    judged = [_relative(stretch.features, usual[stretch.at]) for stretch in shares.judged]
    rms = np.array([name.startswith("RMS") for name in names])
    found = {
        "vibration": _alarms(known, judged, {**OF_RIGS, **given}),
        "3 sigma of the RMS": [_three_sigma(known[:, rms], windows[:, rms]) for windows in judged],
        "3 sigma of any feature": [_three_sigma(known, windows) for windows in judged],
        "everything anomalous": [np.ones(len(windows), bool) for windows in judged],
    }
    return [
        RigAlarms(stretch, {method: on[at] for method, on in found.items()}) for at, stretch in enumerate(shares.judged)
    ]


def _fitted(windows: Floats) -> int:
    return len(windows) * 3 // 5


def _relative(windows: Floats, usual: Floats) -> Floats:
    return windows / np.where(usual > 0, usual, 1.0)


def _alarms(known: Floats, judged: Sequence[Floats], given: Mapping[str, object]) -> list[Bools]:
    """Every stretch as a sensor of its own that has learnt the same."""
    parameters, channels = {**given, "baseline": len(known)}, known.shape[1]
    teacher = build(Vibration.NAME, parameters, channels)
    teacher.score(np.zeros(len(known), np.int64), known)
    learnt = teacher.dump()[1]
    (rule,) = teacher.rules("")
    found = []
    for windows in judged:
        detector = build(Vibration.NAME, parameters, channels)
        detector.load(np.zeros(1, "<i4").tobytes(), learnt)
        found.append(episodes(rule, detector.score(np.zeros(len(windows), np.int64), windows))[0])
    return found


def _three_sigma(known: Floats, windows: Floats) -> Bools:
    spread = known.std(axis=0)
    z = np.abs(windows - known.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    return np.asarray(z.max(axis=1) > 3)
