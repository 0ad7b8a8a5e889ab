"""Files and folders to recordings that a detector can be judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, listed
from factorylab.detectors.recordings.channels import leaks
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.read import Rows, read_rows
from factorylab.detectors.recordings.recording import Bools, Recording, Times, Window
from factorylab.detectors.recordings.windows import Stretch, read_windows, refuse_unused, resolved

LARGE_BYTES = 30_000_000  # takes more than two seconds
ENDINGS = (".csv", ".csv.gz")


def is_recording(file: Path) -> bool:
    """By its name; files that begin with a point are what systems and offices leave in folders."""
    return file.name.lower().endswith(ENDINGS) and not file.name.startswith(".")


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and the .csv files of folders, numbers in their names in order.

    Raises:
        UsageError: one of them is not there, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there: name a recording, or a folder of recordings")
        folder = path.is_dir()
        inside = [file for file in path.iterdir() if is_recording(file)] if folder else [path]
        if not inside:
            raise UsageError(f"{path} holds no .csv file: name the recordings themselves")
        found += sorted(inside, key=lambda file: (len(file.name), file.name))
    return found


def read_recordings(
    paths: Sequence[Path],
    columns: Columns,
    layout: Layout,
    windows: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Recording]:
    """Every machine of every file, with what is known to be wrong by labels or by a file of windows.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    if columns.label and windows:
        raise UsageError("--label-column and --windows both say what is wrong: give one of them")
    if columns.faulty and windows:
        raise UsageError("--faulty tells values of a label, and --windows say what is wrong: give one of them")
    notes = Notes()
    known = read_windows(windows, layout, notes) if windows else None
    found, unused, spans = [], dict[Stretch, None](), list[tuple[str, Times]]()
    for path in paths:
        if path.stat().st_size > LARGE_BYTES:
            say(f"reading {path.name} ({path.stat().st_size / 1e6:,.0f} MB)")
        for rows in read_rows(path, columns, layout, windows=known is not None):
            rows.notes.assumed.extend(notes.assumed)
            stretches = known.of(path, rows.machine) if known else []
            held: list[Stretch] = []
            inside: tuple[Window, ...] | None = None
            if known:
                held, inside = resolved(known, stretches, rows.times, rows.convention, rows.notes)
                unused |= dict.fromkeys(stretches)
                spans.append((rows.name, rows.times))
            found.append((_recording(path, rows, inside), held))
    for _, held in found:
        for stretch in held:
            unused.pop(stretch, None)
    if known:
        refuse_unused(known, [*unused], spans)
    return [recording for recording, _ in found]


def _recording(path: Path, rows: Rows, windows: tuple[Window, ...] | None) -> Recording:
    """Holes filled, no channel that is the truth itself, oldest rows first."""
    truth = rows.truth if windows is None else inside(rows.times, windows)
    rows = _without_leaks(path, rows, truth)
    order = slice(None, None, -1) if _newest_first(rows.times) else slice(None)
    if order.step:
        rows.notes.assumed[:] = [note for note in rows.notes.assumed if not note.startswith("times step back")]
        rows.notes.assumed.append("newest rows first in the file: read from its end")
    if np.isnan(rows.values).any():
        rows.notes.assumed.append("a hole takes the value before it; at the start, the one after it")
    values = pd.DataFrame(rows.values[order]).ffill().bfill().to_numpy()
    return Recording(
        rows.name, rows.times[order], values, rows.channels, None if truth is None else truth[order], windows,
        rows.known[order], None if rows.clock is None else rows.clock[order], rows.account(path),
    )  # fmt: skip


def inside(times: Times, windows: Sequence[Window]) -> Bools:
    """Which times lie in a window, its ends included."""
    found = np.zeros(len(times), bool)
    for start, end in windows:
        found |= (times >= start) & (times <= end)
    return found


def _without_leaks(path: Path, rows: Rows, truth: Bools | None) -> Rows:
    """Without channels that are empty here or that hold the truth."""
    empty = [name for name, column in zip(rows.channels, rows.values.T, strict=True) if np.isnan(column).all()]
    if len(empty) == len(rows.channels):
        raise UsageError(f"{path}: {rows.name} holds no number in {listed(empty)}")
    by_name = dict(zip(rows.channels, rows.values.T, strict=True))
    telling = leaks(by_name, truth) if truth is not None else []
    gone = [*empty, *(telling if len(telling) + len(empty) < len(by_name) else [])]
    for why, names in (
        ("no number for this machine", empty),
        ("the label once more, or nearly so; that is never an input", telling),
    ):
        if {*names} & {*gone}:
            rows.notes.left_out.append(f"{listed(names)}: {why}")
    return rows.only_channels([name for name in rows.channels if name not in gone])


def _newest_first(times: Times) -> bool:
    steps = np.diff(times)
    return len(steps) > 1 and bool((steps <= np.timedelta64(0)).all() and (steps < np.timedelta64(0)).any())
