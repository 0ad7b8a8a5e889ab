"""Which saved runs may go, and why the others stay. Only folders of runs are ever removed.

Rules, the first that fits decides:
- What is a link, or holds anything that the lab does not write into a run's folder, stays.
- A run that may be going on stays: it has no seal, does not say that it failed, and something in it changed within the
  last hour (the probe writes five times a second).
- A run that did not finish goes.
- What the record of a batch names stays: `--resume` goes on from it.
- The latest finished runs of each scenario stay, as many as wanted; the others go.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from factorylab.history import batch_record
from factorylab.history.run_folders import FAILED, RunFolder, list_runs

GOING_ON_S = 3600
OF_A_RUN = {"raw", "derived", "journals"}
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a run, and why."""

    path: str
    scenario: str
    size_bytes: int
    goes: bool
    why: str


def size_bytes(folder: Path) -> int:
    """Of all files below; links are not followed, and what vanishes meanwhile does not count."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            total += file.lstat().st_size if not file.is_dir() else 0
    return total


def fates(results: Path, keep: int) -> list[Fate]:
    """What pruning would do with each run under `results`, oldest first. `keep`: so many finished runs of each scenario
    stay, at least one.

    Raises:
        UsageError: the record of a batch cannot be read.
    """
    recorded, left = _recorded(results), Counter[str]()
    found = []
    for run in reversed(list_runs(results)):  # the latest first
        goes, why = _fate(run, recorded, left, keep)
        found.append(
            Fate(path=str(run.path), scenario=run.path.parent.name, size_bytes=size_bytes(run.path), goes=goes, why=why)
        )
    return found[::-1]


def remove(results: Path, doomed: Sequence[Fate]) -> None:
    """Remove these runs, and folders of scenarios that have none any more."""
    for fate in doomed:
        path = Path(fate.path)
        if path.parent.parent != results or not _is_a_run(RunFolder(path)):
            continue  # it became something else meanwhile
        shutil.rmtree(path)
        with suppress(OSError):  # it has other runs
            path.parent.rmdir()


def _fate(run: RunFolder, recorded: set[Path], left: Counter[str], keep: int) -> tuple[bool, str]:
    if not _is_a_run(run):
        return False, "it is a link, or holds what the lab did not write"
    if not run.sealed:
        if not (run.raw / FAILED).exists() and _changed_s_ago(run.path) < GOING_ON_S:
            return False, "it may be going on: no seal, and it changed within the last hour"
        return True, "it did not finish"
    if run.path in recorded:
        return False, "the record of a batch names it"
    left[run.path.parent.name] += 1
    if left[run.path.parent.name] <= keep:
        return False, f"one of the latest {keep} of its scenario"
    return True, f"the latest {keep} of its scenario are newer"


def _is_a_run(run: RunFolder) -> bool:
    if any(path.is_symlink() for path in (run.path.parent, run.path, run.raw)) or not _NAME.fullmatch(run.path.name):
        return False
    return {entry.name for entry in run.path.iterdir()} <= OF_A_RUN


def _changed_s_ago(folder: Path) -> float:
    times = [path.lstat().st_mtime for path in (folder, *folder.rglob("*")) if path.exists()]
    return time.time() - max(times)


def _recorded(results: Path) -> set[Path]:
    """The runs that records of batches name.

    Raises:
        UsageError: a record cannot be read, so that nobody knows what it names.
    """
    records = results.glob(batch_record.FILES)
    return {results / item.path for record in records for item in batch_record.read(record)}
