"""The witness: one reading's life, and its export as a history of a few rows that shows the same finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factorylab.audit.extract import extract
from factorylab.audit.judged import load
from factorylab.cli.main import app
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import Run
from factorylab.history.tables import TABLES
from tests.support.check_histories import TABLE
from tests.support.histories import at_ns, healthy, scenario
from tests.support.losses import CUT_AT, isolated, life_of, logged, lossy
from tests.support.spoils import check_of, lose, retention, unread

__all__ = ["lossy"]  # fixtures


ABOUT_READINGS = [
    "lost_in_log", "expired", "lost_in_pipeline", "not_drained", "phantom", "duplicate_in_log", "duplicate_in_store",
    "reordered_in_log", "inconsistent_offset", "corrupt", "skipped", "rewound", "zombie_write", "duplicate_alert",
    "alert_missing", "alert_spurious",
]  # fmt: skip


def test_a_lost_reading_is_followed_to_what_its_place_holds_now(lossy: Run) -> None:
    """Due, sent, acked by whom with which ISR, the fault, the new leader, truncated, and what the log holds there."""
    life = life_of(lossy, "lost_in_log")
    steps = [moment.step for moment in life.moments]
    for step in ("due", "sent", "acked", "leader then", "fault", "new leader", "truncated", "in the log now"):
        assert step in steps, steps
    assert steps.index("due") < steps.index("acked") < steps.index("truncated") < steps.index("in the log now")
    then = next(moment.detail for moment in life.moments if moment.step == "leader then")
    assert then == "broker 1 in epoch 0; in sync, when last looked, [1, 2, 3]"
    times = [moment.t_s for moment in life.moments]
    assert times == sorted(times)


def test_what_happened_at_its_place_after_it_was_cut_off_is_another_readings(tmp_path: Path) -> None:
    """A poll of the offset after the truncation is no step of the lost reading's life, and is told as that."""
    history = isolated(tmp_path)
    history["reads"] = history["reads"].query("partition != 0 or t_ns < 1006000000000")
    history.add("reads", worker="processor-0", t_ns=at_ns(11), partition=0, first_offset=CUT_AT, last_offset=CUT_AT + 9,
                count=10, hash_sum=0, rebalance_no=1)  # fmt: skip
    life = life_of(history.run(), "lost_in_log")
    (read,) = [moment for moment in life.moments if moment.step.startswith("read")]
    assert read.step == "read there" and read.detail.endswith("another reading at that place")


def test_a_deleted_reading_says_when_its_segment_went(tmp_path: Path) -> None:
    """Of the lines about the log's start, the first above the reading's offset is the step of its life."""
    history = healthy(tmp_path)
    retention(history, stored=False)
    line = "[UnifiedLog partition=sensor-data-0, dir=/d] Incremented log start offset to {} due to segment deletion"
    history.logs = {"broker-1": [logged(7, line.format(0)), logged(8, line.format(2)), logged(9, line.format(4))]}
    life = life_of(history.run(), "expired")
    (gone,) = [moment for moment in life.moments if moment.step == "deleted"]
    assert (gone.t_s, gone.detail) == (8.0, "the log begins at offset 2 from now on")


def test_a_reading_that_nobody_read_says_who_passed_it_over(tmp_path: Path) -> None:
    """Where no poll covers it, the first one beyond it is a step of its life."""
    history = healthy(tmp_path)
    unread(history, 0)
    history["reads"] = history["reads"].query("partition != 0 or first_offset > 3")
    life = life_of(history.run(), "lost_in_pipeline")
    (passed,) = [moment for moment in life.moments if moment.step == "passed over"]
    assert passed.detail.startswith("processor-0 began at offset") and passed.detail.endswith("beyond offset 0")


def test_a_reading_that_acks_0_lost_has_a_life_and_an_extract(tmp_path: Path) -> None:
    """It has no place in any log: its life says that nobody acknowledged it; its row alone shows that it is gone."""
    history = healthy(tmp_path / "run", scenario(clients={"acks": "0"}, objectives={"unstored": 0}))
    history["sends"]["offset"] = -1
    lose(history, 15)
    history["sends"].loc[15, ["outcome", "t_ack_ns"]] = ["ok", at_ns(1)]
    run = history.run()
    life = life_of(run, "unstored")
    steps = [moment.step for moment in life.moments]
    assert "sent out" in steps and not {"acked", "leader then"} & set(steps)
    assert check_of(extract(run, life, tmp_path / "small"), "unstored").verdict == "FAIL"


def test_a_finding_that_is_a_number_of_many_is_not_exported(tmp_path: Path) -> None:
    """Readings beyond an allowed number: a few rows are below it, so no extract is left, and the message says why."""
    history = healthy(tmp_path / "run", scenario(objectives={"unstored": 3}))
    for row in range(15, 20):
        unread(history, row)
    run = history.run()
    life = life_of(run, "unstored")
    with pytest.raises(UsageError, match="a few rows do not show it"):
        extract(run, life, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_pass_has_no_witness(tmp_path: Path) -> None:
    """Where nothing was found there is nobody to show."""
    assert healthy(tmp_path).run().verdict.life is None


@pytest.mark.parametrize("name", ABOUT_READINGS)
def test_an_extract_shows_the_same_finding(tmp_path: Path, name: str) -> None:
    """For each check about readings: a few unchanged rows, judged anew, give the same check with the same verdict."""
    history = TABLE[name].make(tmp_path / "run")
    TABLE[name].breaks(history)
    run = history.run()
    whole, life = check_of(run, name), life_of(run, name)
    small = extract(run, life, tmp_path / "small")
    found = check_of(small, name)
    assert (found.verdict, 1 <= found.count <= whole.count) == (whole.verdict, True), found.measured
    assert life.witness in found.witnesses or name in {"skipped", "alert_spurious", "not_drained", "expired"}
    big = ("sends", "log", "rows", "reads", "commits", "lag", "processes", "partitions")
    assert all(small.row_count(table) <= 12 for table in big)
    for table in set(TABLES) - {"alerts"}:
        mine, all_rows = small.frame(table).astype(str), run.frame(table).astype(str)
        assert len(mine.merge(all_rows.drop_duplicates(), how="inner")) == len(mine), table


def test_the_command_shows_and_exports(lossy: Run, tmp_path: Path) -> None:
    """`factorylab witness RUN --export DIR` prints the life and writes a run; a full folder and a PASS are refused."""
    call, folder = CliRunner(), tmp_path / "out"
    shown = call.invoke(app, ["witness", str(lossy.folder.path), "--export", str(folder)])
    assert shown.exit_code == 0 and "truncated" in shown.stdout and load(folder).verdict.verdict == "FAIL"
    again = call.invoke(app, ["witness", str(lossy.folder.path), "--export", str(folder)])
    assert isinstance(again.exception, UsageError) and "not empty" in str(again.exception)
    none = call.invoke(app, ["witness", str(lossy.folder.path), "--check", "corrupt"])
    assert isinstance(none.exception, UsageError) and "lost_in_log" in str(none.exception)
