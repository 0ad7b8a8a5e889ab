"""Every column of the history, altered in a recorded run: it is found, or says why it only informs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from factorylab.audit.judge import checked
from factorylab.audit.judged import load
from factorylab.history.run_tables import dtypes
from factorylab.history.saved_run import Run
from factorylab.history.tables import TABLES
from tests.support.alterations import FOUND, INFORMATIVE, Alteration, Frames, harmless
from tests.support.recorded_runs import NAMES, unpack

COLUMNS = {(table, column) for table in TABLES for column in dtypes(table)}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder: Path = tmp_path_factory.mktemp("recorded")
    return {name: load(unpack(name, folder / name).path) for name in NAMES}


@cache
def tables(run: Run) -> Frames:
    return {table: run.frame(table) for table in TABLES if run.has(table)}


def fired(run: Run, *names: str) -> dict[str, int]:
    return {check.name: check.count for check in checked(run, *names)[1] if check.fired}


def test_each_column_has_its_alteration() -> None:
    """A column is altered and found, or informs only, for a reason: a new one is neither, and fails here."""
    assert COLUMNS - FOUND.keys() - INFORMATIVE.keys() == set()
    assert FOUND.keys() & INFORMATIVE.keys() == set() and FOUND.keys() <= COLUMNS


@pytest.mark.parametrize(
    ("column", "alteration"), sorted(FOUND.items()), ids=[".".join(column) for column in sorted(FOUND)]
)
def test_an_altered_column_is_found(
    recordings: dict[str, Run], column: tuple[str, str], alteration: Alteration
) -> None:
    """One of the checks that are named for it fires."""
    run = recordings[alteration.recording]
    frames = dict(tables(run))
    alteration.change(frames, *column)
    assert fired(Run.from_frames(run.folder, frames), *alteration.checks)


@pytest.mark.parametrize("name", NAMES)
def test_what_must_not_matter_does_not(recordings: dict[str, Run], name: str) -> None:
    """Rows in another order, words and replicas in another order, another zero of the clock: the same checks fire, with
    the same counts."""
    run = recordings[name]
    assert fired(Run.from_frames(run.folder, harmless(tables(run)))) == fired(run)
