"""What became of a rig's files, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from factorylab.detectors.evaluation.raw_vibration.features import Sampling
from factorylab.detectors.evaluation.raw_vibration.read_samples import Left, RigFile
from factorylab.detectors.evaluation.raw_vibration.trial import RigStretch, Shares
from factorylab.detectors.vibration_window import BAND_HZ


def account(
    sources: Sequence[RigFile], stretches: Sequence[RigStretch], sampling: Sampling, left: Left, shares: Shares
) -> list[str]:
    """Sentences on what became of the files."""
    roles = dict.fromkeys(stretch.role for stretch in stretches)
    kinds = [f"{role}: {_files(stretches, role)} files, {_windows(stretches, role):,} windows" for role in roles]
    learnt = ", ".join(f"{len(windows)} at {load}" for load, windows in shares.learnt.items())
    seconds = sampling.samples / sampling.rate_hz
    lines = [
        f"{len(sources)} files; " + "; ".join(kinds),
        f"channels: {', '.join(sampling.channels)}; windows of {sampling.samples} samples = {seconds:.4g} s",
        f"healthy windows that are learnt from, and so not judged, by load: {learnt} "
        + ("(the first half of each load's)" if shares.within_files else "(the first half of each load's files)"),
        *_velocity(sampling),
        *_left_out(left, shares),
    ]
    return lines + list(left.notes)


def _files(stretches: Sequence[RigStretch], role: str) -> int:
    return len({stretch.file for stretch in stretches if stretch.role == role})


def _windows(stretches: Sequence[RigStretch], role: str | None = None) -> int:
    return sum(len(stretch.features) for stretch in stretches if role in (None, stretch.role))


def _velocity(sampling: Sampling) -> list[str]:
    band = sampling.velocity_band_hz
    if band is None:
        return [
            f"no velocity: its band of {BAND_HZ[0]:g}–{BAND_HZ[1]:g} Hz is not in what {sampling.rate_hz:g} Hz can show"
        ]
    if band != BAND_HZ:
        return [
            f"velocity over {band[0]:.4g}–{band[1]:.4g} Hz only: that is what the rate and the windows show of its band"
        ]
    return []


def _left_out(left: Left, shares: Shares) -> list[str]:
    found = []
    if left.ends:
        found.append(f"left out: {left.ends:,} samples that fill no window at the end of a file or of a load")
    if left.holes:
        found.append(f"left out: {left.holes:,} windows with holes")
    if shares.unknown:
        loads = ", ".join(dict.fromkeys(stretch.at for stretch in shares.unknown))
        count = _windows(shares.unknown)
        found.append(f"not judged: {count:,} windows at loads with too few healthy windows to learn from: {loads}")
    return found
