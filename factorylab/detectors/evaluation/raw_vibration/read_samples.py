"""Files of raw samples to stretches of windows. No window mixes files, loads, or healthy samples and faulty ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.evaluation.raw_vibration.features import LEAST_SAMPLES, Sampling, cut, features
from factorylab.detectors.evaluation.raw_vibration.file_names import HEALTHY, WAY_OUT, loads_of, role_of
from factorylab.detectors.evaluation.raw_vibration.trial import RigStretch
from factorylab.detectors.recordings.account import Notes
from factorylab.detectors.recordings.channels import read_channels
from factorylab.detectors.recordings.collect import is_recording
from factorylab.detectors.recordings.header import names_time, plain
from factorylab.detectors.recordings.labels import label_of, read_truth
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.numbers import read_numbers
from factorylab.detectors.recordings.table import Table, read_table

Floats = NDArray[np.float64]
LOAD_NAMES = ("load", "loadpercent", "loadpct")
LEVELS = 21  # loads in one file, above which they are a measurement and taken in steps of 10 %


@dataclass(frozen=True)
class Wanted:
    """What the user said of the files; patterns of names or paths tell healthy from faulty."""

    rate_hz: float
    samples: int
    healthy: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()
    load: str | None = None
    columns: Columns = field(default_factory=Columns)
    layout: Layout = field(default_factory=Layout)


@dataclass(frozen=True)
class RigFile:
    path: Path
    role: str | None
    load: float


@dataclass
class Left:
    """Samples and windows that are in no stretch, and what else must be told."""

    ends: int = 0
    holes: int = 0
    notes: dict[str, None] = field(default_factory=dict)


def samples_of(text: str, rate_hz: float) -> int:
    """The size of a window: "2048" samples, or "0.5s", "80ms".

    Raises:
        UsageError: it is neither, or shorter than 64 samples.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|ms)?\s*", text)
    if not found or (not found[2] and "." in found[1]):
        raise UsageError(f"--window {text}: a number of samples, as 2048, or a time, as 0.5s or 80ms")
    scale = {"s": rate_hz, "ms": rate_hz / 1000}.get(found[2] or "", 1.0)
    samples = int(float(found[1]) * scale + 0.5)
    if samples < LEAST_SAMPLES:
        raise UsageError(f"--window {text} is {samples} samples at {rate_hz:g} Hz: at least {LEAST_SAMPLES} are needed")
    return samples


def sources_of(paths: Sequence[Path], wanted: Wanted) -> list[RigFile]:
    """The files, in order, those of folders below folders too, with what their names tell.

    Raises:
        UsageError: a path is not there or holds no file, or names contradict each other.
    """
    found: dict[Path, str | None] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there: name files of samples, or folders of them")
        inside = [f for f in path.rglob("*") if is_recording(f)] if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path} holds no .csv file of samples, and neither does a folder below it")
        root = path if path.is_dir() else path.parent
        for file in sorted(inside, key=_in_order):
            found[file] = None if wanted.columns.label else role_of(file, root, wanted.healthy, wanted.faulty)
    loads = loads_of([file.stem for file in found]) or [np.nan] * len(found)
    return [RigFile(file, role, load) for (file, role), load in zip(found.items(), loads, strict=True)]


def _in_order(file: Path) -> list[tuple[int, float, str]]:
    """Numbers in names by their value."""
    parts = re.split(r"(\d+)", str(file))
    return [(1, float(part), "") if part.isdigit() else (0, 0.0, part) for part in parts]


def read_stretches(sources: Sequence[RigFile], wanted: Wanted) -> tuple[list[RigStretch], Sampling, Left]:
    """Features of every whole window of every file.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    found, left, sampling = list[RigStretch](), Left(), Sampling(wanted.rate_hz, wanted.samples, ())
    for source in sources:
        channels, pieces = _read(source, wanted, left)
        sampling = replace(sampling, channels=sampling.channels or channels)
        if channels != sampling.channels:
            raise UsageError(
                f"{source.path} has the channels {', '.join(channels)}, {sources[0].path} has "
                f"{', '.join(sampling.channels)}: name those that all files have with --value-column"
            )
        for role, load, samples in pieces:
            windows = cut(samples, wanted.samples)
            whole = np.isfinite(windows).all(axis=(1, 2))
            left.ends += len(samples) - windows.shape[0] * wanted.samples
            left.holes += int((~whole).sum())
            if whole.any():
                found.append(RigStretch(str(source.path), role, load, features(windows[whole], sampling)))
    return found, sampling, left


def _read(source: RigFile, wanted: Wanted, left: Left) -> tuple[tuple[str, ...], Iterator[tuple[str, float, Floats]]]:
    """Channels of a file, and its samples by role and load."""
    notes = Notes()
    named = [*wanted.columns.values, *filter(None, (wanted.load, wanted.columns.label))]
    table = read_table(source.path, wanted.layout, named, notes)
    load = _load_column(table, wanted.load)
    label = label_of(table, wanted.columns, windows=source.role is not None)
    times = [name for name in table.cells.columns if names_time(name) or name == wanted.columns.time]
    notes.left_out += [f"{name}: times; --rate-hz says when samples were taken" for name in times]
    others = [*filter(None, (load, label)), *times]
    numbers = read_channels(table, wanted.layout, wanted.columns.values, others, notes)
    samples = np.stack([its.values for its in numbers.values()], axis=1)
    roles = _roles(source, table, label, wanted, notes)
    loads = _loads(source, table, load, wanted.layout, notes)
    left.notes |= dict.fromkeys([*(f"left out: {what}" for what in notes.left_out), *notes.assumed])
    return tuple(numbers), _pieces(roles, loads, samples)


def _load_column(table: Table, wanted: str | None) -> str | None:
    if wanted is not None:
        return table.find(wanted, "--load-column")
    return next((name for name in table.cells.columns if plain(name) in LOAD_NAMES), None)


def _roles(source: RigFile, table: Table, label: str | None, wanted: Wanted, notes: Notes) -> NDArray[np.str_]:
    if label is None and source.role is None:
        raise UsageError(
            f"{source.path}: neither its name nor its folder says whether it is healthy or faulty: {WAY_OUT}"
        )
    if label is None:
        return np.full(len(table.cells), source.role)
    truth, known = read_truth(table, label, wanted.columns.faulty, notes)
    return np.where(known, np.where(truth, "faulty", HEALTHY), "")


def _loads(source: RigFile, table: Table, column: str | None, layout: Layout, notes: Notes) -> Floats:
    if column is None:
        notes.assumed.append("no load is known" if np.isnan(source.load) else "loads are what the files' names say")
        return np.full(len(table.cells), source.load)
    loads = read_numbers(table, [column], layout.decimal, notes)[column].values
    if len(np.unique(loads[np.isfinite(loads)])) > LEVELS:
        notes.assumed.append(f"the load in {column!r} has many values: taken in steps of 10")
        loads = np.floor(loads / 10) * 10
    return loads


def _pieces(roles: NDArray[np.str_], loads: Floats, samples: Floats) -> Iterator[tuple[str, float, Floats]]:
    """Consecutive rows of one role and one load; rows without a load or a role are in none, if others have one."""
    same_load = (loads[1:] == loads[:-1]) | (np.isnan(loads[1:]) & np.isnan(loads[:-1]))
    starts = np.flatnonzero(np.r_[True, (roles[1:] != roles[:-1]) | ~same_load])
    unknown = bool(np.isnan(loads).all())
    for start, end in zip(starts, [*starts[1:], len(samples)], strict=True):
        if roles[start] and (unknown or not np.isnan(loads[start])):
            yield str(roles[start]), float(loads[start]), samples[start:end]
