"""The witness: one reading's life, and its export as a history of a few rows that shows the same finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factorylab.audit.extract import extract
from factorylab.audit.life import life_of_witness
from factorylab.audit.registry import Evidence
from factorylab.cli import app
from factorylab.errors import UsageError
from factorylab.history import TABLES
from factorylab.saved import Run, load
from tests.histories import healthy
from tests.test_audit_table import TABLE
from tests.test_explain import isolated

ABOUT_READINGS = [
    "lost_in_log", "expired", "lost_in_pipeline", "not_drained", "phantom", "duplicate_in_log", "duplicate_in_store",
    "reordered_in_log", "inconsistent_offset", "corrupt", "skipped", "rewound", "zombie_write", "duplicate_alert",
    "alert_missing", "alert_spurious",
]  # fmt: skip


@pytest.fixture
def lossy(tmp_path: Path) -> Run:
    return isolated(tmp_path / "run").saved()


def test_a_lost_reading_is_followed_to_what_its_place_holds_now(lossy: Run) -> None:
    """Due, sent, acked by whom with which ISR, the fault, the new leader, truncated, and what the log holds there."""
    life = lossy.verdict.life
    assert life is not None and life.check == "lost_in_log"
    steps = [moment.step for moment in life.moments]
    for step in ("due", "sent", "acked", "leader then", "fault", "new leader", "truncated", "in the log now"):
        assert step in steps, steps
    assert steps.index("due") < steps.index("acked") < steps.index("truncated") < steps.index("in the log now")
    then = next(moment.detail for moment in life.moments if moment.step == "leader then")
    assert then == "broker 1 in epoch 0; in sync [1, 2, 3]"
    times = [moment.t_s for moment in life.moments]
    assert times == sorted(times)


def test_a_pass_has_no_witness(tmp_path: Path) -> None:
    """Where nothing was found there is nobody to show."""
    assert healthy(tmp_path).saved().verdict.life is None


@pytest.mark.parametrize("name", ABOUT_READINGS)
def test_an_extract_shows_the_same_finding(tmp_path: Path, name: str) -> None:
    """For each check about readings: a few unchanged rows, judged anew, give the same check with the same verdict."""
    history = TABLE[name].make(tmp_path / "run")
    TABLE[name].breaks(history)
    run = history.saved()
    whole = next(check for check in run.verdict.checks if check.name == name)
    life = life_of_witness(Evidence(run), run.verdict.checks, name)
    assert life is not None
    small = extract(run, life, tmp_path / "small")
    found = next(check for check in small.verdict.checks if check.name == name)
    assert (found.verdict, 1 <= found.count <= whole.count) == (whole.verdict, True), found.measured
    assert life.witness in found.witnesses or name in {"skipped", "alert_spurious", "not_drained", "expired"}
    big = ("sends", "log", "rows", "reads", "commits", "lag", "processes", "partitions")
    assert all(small.row_count(table) <= 12 for table in big)
    for table in set(TABLES) - {"alerts"}:
        mine, all_rows = small.frame(table).astype(str), run.frame(table).astype(str)
        assert len(mine.merge(all_rows.drop_duplicates(), how="inner")) == len(mine), table


def test_an_extract_comes_with_a_test_that_finds_it_again(lossy: Run, tmp_path: Path) -> None:
    """The test beside the extract passes, tells the same event, and fails once the finding is gone."""
    assert lossy.verdict.life is not None
    small = extract(lossy, lossy.verdict.life, tmp_path / "small")
    assert [story.event for story in small.verdict.explanations] == [s.event for s in lossy.verdict.explanations]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "small")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (tmp_path / "small" / "raw" / "history" / "sends.parquet").unlink()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_the_command_shows_and_exports(lossy: Run, tmp_path: Path) -> None:
    """`factorylab witness RUN --export DIR` prints the life and writes a run; a full folder and a PASS are refused."""
    call, folder = CliRunner(), tmp_path / "out"
    shown = call.invoke(app, ["witness", str(lossy.folder.path), "--export", str(folder)])
    assert shown.exit_code == 0 and "truncated" in shown.stdout and load(folder).verdict.verdict == "FAIL"
    again = call.invoke(app, ["witness", str(lossy.folder.path), "--export", str(folder)])
    assert isinstance(again.exception, UsageError) and "not empty" in str(again.exception)
    none = call.invoke(app, ["witness", str(lossy.folder.path), "--check", "corrupt"])
    assert isinstance(none.exception, UsageError) and "lost_in_log" in str(none.exception)
