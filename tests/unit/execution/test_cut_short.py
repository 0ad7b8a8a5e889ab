"""What ends a run early: a problem that its verdict names, or a full disk, which breaks it off."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from factorylab.cluster import folders
from factorylab.core.errors import EnvironmentUnfit, JournalFull, StartFailed
from factorylab.core.names import Names
from factorylab.execution.runner import Experiment
from factorylab.history import run_folders
from tests.support.histories import scenario


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """A run that has begun, on no cluster."""
    made = scenario()
    run = run_folders.create(tmp_path / "results", made)
    return Experiment(made, run, SimpleNamespace(), Names.of(run.run_id), tmp_path, print)  # type: ignore[arg-type]


def failing(error: Exception) -> None:
    raise error


def test_what_ends_a_run_early_is_a_problem_of_it(experiment: Experiment) -> None:
    """With room on the disk the run is sealed and judged, and its verdict says what it was; each problem once."""
    for _ in range(2):
        experiment._try(lambda: failing(StartFailed("the probe ended unasked")))
    assert experiment.problems == ["the probe ended unasked"]


def test_a_full_disk_breaks_a_run_off(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a worker ended and the disk is full, the disk is named, and there is no problem to judge the run by."""
    monkeypatch.setattr(folders, "LEAST_MB", 1 << 60)
    with pytest.raises(EnvironmentUnfit, match=r"MB of free space .* set FACTORYLAB_RESULTS"):
        experiment._try(lambda: failing(StartFailed("the probe ended unasked")))
    assert not experiment.problems


def test_a_journal_that_cannot_grow_breaks_a_run_off(experiment: Experiment) -> None:
    """A quota may end a journal before the disk is full."""
    with pytest.raises(JournalFull):
        experiment._try(lambda: failing(JournalFull("journal of runner: Disk quota exceeded")))
    assert not experiment.problems
