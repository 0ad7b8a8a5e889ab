"""The command line as a fixture: words are typed, and exit code and output come back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import typer.main

from factorylab.cli import main
from factorylab.history.saved_run import Run
from tests.support.histories import healthy, scenario

Call = Callable[..., tuple[int, str, str]]
COMMANDS = cache(typer.main.get_command)  # to make all commands takes longer than most of them


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a healthy run and one that lost two readings."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def call(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Types words as a user would; gives exit code, standard output and standard error."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(results))
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACTORYLAB_BACKEND", "local")  # a command that is told another sets it, for its kernels
    monkeypatch.setattr("typer.main.get_command", COMMANDS)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["factorylab", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, said.out, said.err

    return typed


@pytest.fixture(scope="module")
def saved(results: Path) -> tuple[Run, Run]:
    lossy = healthy(results, scenario(name="lossy"))
    lossy["log"] = lossy["log"].drop(index=[5, 6])
    return healthy(results, scenario(name="whole")).saved(), lossy.saved()


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the words alone: drawing takes longer than judging."""
    monkeypatch.setattr("factorylab.report.plots.save", lambda run, folder: [])


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Results of this test's own, which a refused command must not even make."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path / "results"))
    return tmp_path
