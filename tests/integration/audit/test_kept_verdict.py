"""A written verdict is believed only while everything that it follows from is as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from factorylab.audit import kept_verdict
from factorylab.audit.judged import JudgedRun, load
from factorylab.audit.kept_verdict import verdict_in, verdict_of, write_verdict
from factorylab.core import environment
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from tests.support.heavy import HEAVY
from tests.support.histories import consumer_loss


class JudgedAnew(Exception):
    pass


@pytest.fixture
def written(tmp_path: Path) -> RunFolder:
    """A run on disk with its verdict."""
    run = consumer_loss(tmp_path).saved()
    write_verdict(run)
    return run.folder


@pytest.fixture
def judging(written: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever computes a verdict from now on says so."""

    def judged(_: JudgedRun) -> None:
        raise JudgedAnew

    monkeypatch.setattr(JudgedRun, "verdict", property(judged))


def test_a_written_verdict_is_the_computed_one(written: RunFolder) -> None:
    """Read back, it is equal in every number and word."""
    assert verdict_of(load(written.path)) == verdict_in(written) == load(written.path).verdict


@pytest.mark.usefixtures("judging")
def test_a_written_verdict_is_not_computed_again(written: RunFolder) -> None:
    """A list of runs judges none whose verdict is there."""
    assert verdict_of(load(written.path)).verdict == verdict_in(written).verdict == "PASS"


def test_a_written_verdict_needs_no_analysis(written: RunFolder) -> None:
    """A program that reads one loads none of the libraries that judging takes."""
    program = (
        "import sys; from pathlib import Path; from factorylab.audit.kept_verdict import verdict_in;"
        " from factorylab.audit.model.verdict import one_line; from factorylab.history.run_folders import RunFolder;"
        " print(one_line(verdict_in(RunFolder(Path(sys.argv[1]))))); print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(written.path)],
        env=environment.python(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "PASS" in done.stdout and set(done.stderr.split()) & {"numpy", *HEAVY} == set()


def append(name: str) -> Callable[[RunFolder], None]:
    """One byte more in a file of the run."""

    def change(run: RunFolder) -> None:
        with (run.path / name).open("ab") as file:
            file.write(b"\n")

    return change


def sealed_again(run: RunFolder) -> None:
    append("raw/scenario.json")(run)
    run_folders.seal(run)


CHANGES: dict[str, Callable[[RunFolder], None]] = {
    "a table": append("raw/history/log.parquet"),
    "the scenario, sealed again": sealed_again,
    "the verdict": append("derived/verdict.json"),
    "a damaged seal": lambda run: (run.raw / "seal.json").write_bytes(b"{"),
    "a damaged key": lambda run: (run.derived / "verdict.key").write_bytes(b"\xff"),
    "no verdict": lambda run: (run.derived / "verdict.json").unlink(),
    "a verdict of an earlier version, without a key": lambda run: (run.derived / "verdict.key").unlink(),
}


@pytest.mark.usefixtures("judging")
@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_judged(written: RunFolder, change: str) -> None:
    """With another raw/, another verdict or none, nothing that was written is believed."""
    CHANGES[change](written)
    with pytest.raises(JudgedAnew):
        verdict_of(load(written.path))
    with pytest.raises(JudgedAnew):
        verdict_in(written)


@pytest.mark.usefixtures("judging")
def test_other_code_judges_again(written: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict of another version of the audit, or of other libraries, is not this one's."""
    monkeypatch.setattr(kept_verdict, "_code", lambda: b"another")
    with pytest.raises(JudgedAnew):
        verdict_of(load(written.path))
