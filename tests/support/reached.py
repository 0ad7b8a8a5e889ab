"""Which checks an altered history can reach. What a check finds follows from what it reads, so one that reads nothing
altered finds what it finds in the whole history: nothing. Without those, a verdict takes half the time."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pandas as pd

from factorylab.audit.judge import checked
from factorylab.audit.judged import JudgedRun
from factorylab.history.run_tables import FrameTables
from factorylab.history.saved_run import Run
from factorylab.history.tables import TABLES
from tests.support.histories import History, broker_loss, consumer_loss, healthy, network_partition

FOLDER = "the run's folder"
FOLDERS = Path(tempfile.mkdtemp(prefix="factorylab-whole-"))
atexit.register(shutil.rmtree, FOLDERS)
WHOLE: tuple[Callable[[Path], History], ...] = (healthy, broker_loss, consumer_loss, network_partition)


class Whole(NamedTuple):
    """A history in which nothing is wrong."""

    run: JudgedRun
    tables: Mapping[str, pd.DataFrame]

    def is_of(self, run: Run) -> bool:
        """Is `run` this one but for its tables? Its name does not matter."""
        named = msgspec.structs.replace(run.manifest, run_id=self.run.manifest.run_id)
        same = run.scenario == self.run.scenario and named == self.run.manifest
        return same and not any(run.folder.logs.iterdir())

    def altered(self, tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
        for name in TABLES:
            mine, theirs = self.tables.get(name), tables.get(name)
            if mine is None or theirs is None:
                yield from [name] * (mine is not theirs)
            elif not mine.equals(theirs):
                yield name

    def reads(self, name: str) -> set[str]:
        """What one check alone reads of it: tables, and FOLDER for what else is there."""
        seen: set[str] = set()
        run = JudgedRun(self.run.folder, Noting(FrameTables(self.tables), seen))
        assert run.scenario == self.run.scenario and run.manifest == self.run.manifest  # read before anything is noted
        run.folder = Noting(self.run.folder, seen, FOLDER)  # type: ignore[assignment]
        found = checked(run, name)[1]  # none, where it is a check of share groups alone
        assert not any(check.fired for check in found), found
        return seen


class Noting:
    """Hands everything on, and notes that it was asked: by the first argument, or under a name of its own."""

    def __init__(self, of: Any, seen: set[str], name: str = "") -> None:
        self._of, self._seen, self._name = of, seen, name

    def __getattr__(self, asked: str) -> Any:
        found = getattr(self._of, asked)
        if self._name:
            self._seen.add(self._name)
            return found

        def noted(table: str, *words: Any) -> Any:
            self._seen.add(table)
            return found(table, *words)

        return noted


def reached(run: Run, names: Sequence[str]) -> list[str]:
    """Those of the checks that read something which is not as in a whole history of the same scenario; all of them
    where there is none."""
    tables = given(run)
    make = next((make for make in WHOLE if _whole(make).is_of(run)), None)
    if make is None or tables is None:
        return list(names)
    altered = {FOLDER, *_whole(make).altered(tables)}
    return [name for name in names if _reads(make, name) & altered]


def given(run: Run) -> Mapping[str, pd.DataFrame] | None:
    """The frames that a run was made of; None of one that was stored."""
    return run._tables._given if isinstance(run._tables, FrameTables) else None


@cache
def _whole(make: Callable[[Path], History]) -> Whole:
    run = make(FOLDERS).run()
    return Whole(run, given(run) or {})


@cache
def _reads(make: Callable[[Path], History], name: str) -> set[str]:
    return _whole(make).reads(name)
