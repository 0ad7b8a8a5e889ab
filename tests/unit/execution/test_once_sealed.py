"""What begins as soon as a run is sealed."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from factorylab.core.errors import LabError, UsageError
from factorylab.execution.once_sealed import once_sealed
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from factorylab.scenarios.loading import scenario

SOON_S = 30


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return run_folders.create(tmp_path, scenario("baseline"))


def test_it_begins_before_the_notebook_ends(folder: RunFolder) -> None:
    """A sealed run is judged while its context goes on."""
    begun = Event()
    with once_sealed(folder, lambda run: (run, begun.set())[0]) as result:
        run_folders.seal(folder)
        assert begun.wait(SOON_S)
    assert result() is folder


def test_a_run_that_was_never_sealed_comes_last(folder: RunFolder) -> None:
    """It is called with such a run when the context has ended, once."""
    order = []
    with once_sealed(folder, lambda run: order.append(run.sealed) or "called") as result:
        order.append("context")
    assert (result(), order) == ("called", ["context", False])


def test_what_failed_before_the_seal_is_not_called(folder: RunFolder) -> None:
    """A notebook that failed before its run was sealed has the only say."""
    calls: list[RunFolder] = []
    with pytest.raises(LabError, match="no cluster"), once_sealed(folder, calls.append):
        raise LabError("no cluster")
    assert calls == []


def test_its_error_is_told(folder: RunFolder) -> None:
    """What is raised in the thread is raised where the result is asked for."""

    def refuse(run: RunFolder) -> str:
        raise UsageError(f"{run.path.name} is not to be judged")

    with once_sealed(folder, refuse) as result:
        run_folders.seal(folder)
    with pytest.raises(UsageError, match="not to be judged"):
        result()
