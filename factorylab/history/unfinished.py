"""A run that did not come to its seal: where it ended, and its journals as tables. It is not judged: what was broken
off is evidence of nothing, but what was written down until then can be loaded and drawn."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from weakref import finalize

from factorylab.core.clock import NS
from factorylab.history.export import export_journals
from factorylab.history.journal import read_journal
from factorylab.history.run_folders import FAILED, RunFolder
from factorylab.history.run_tables import StoredTables
from factorylab.history.tables import PhaseStart, Row

LOOKED = ("runner", "probe")  # they write from the beginning to the end


class Ended(NamedTuple):
    """The last phase that a run came to, and the last moment that was written down, in seconds since the steady state
    (since the run's start, where it never came so far)."""

    phase: str
    at_s: float


def broken_off(run: RunFolder) -> bool:
    """A run without a seal whose journals are still there: they go once it is sealed."""
    return not run.sealed and run.journals.is_dir() and any(run.journals.iterdir())


def ended(run: RunFolder) -> Ended | None:
    """Where a run without a seal ended; None where nothing was written down."""
    rows: list[Row] = []
    for worker in LOOKED:
        with suppress(ValueError, OSError):  # a journal that cannot be read tells nothing
            rows += read_journal(run.journals, worker)
    starts = [row for row in rows if isinstance(row, PhaseStart)]
    if not starts:
        return None
    zero = next((row for row in starts if row.phase == "steady"), starts[0])
    return Ended(starts[-1].phase.replace("_", " "), (max(row.t_ns for row in rows) - zero.t_ns) / NS)


def not_judged(run: RunFolder) -> str:
    """That an unsealed run is not judged, where it ended, and why, as far as that was written down."""
    file, end = run.raw / FAILED, ended(run)
    why = file.read_text(encoding="utf-8").strip() if file.exists() else ""  # a full disk takes no reason
    where = f"interrupted in phase {end.phase} at {end.at_s:.1f} s" if end else "it did not finish"
    return f"not judged: {where}" + (f" ({why})" if why and why != "interrupted" else "")


class UnfinishedTables(StoredTables):
    """The journals of such a run as tables. What its final read had found so far is left out."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @cached_property
    def _scratch(self) -> Path:
        """The exported journals; they go with this object."""
        made = Path(mkdtemp(prefix="factorylab-unfinished-"))
        finalize(self, shutil.rmtree, made, ignore_errors=True)
        export_journals(self._folder.journals, made)
        return made

    def _path(self, table: str) -> Path:
        return self._scratch / f"{table}.parquet"
