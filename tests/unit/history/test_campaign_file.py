"""A campaign's file: the same bytes for the same runs, joined without counting a run twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.history.campaign_file import CampaignFile, Experiment, RunRow, read, write
from factorylab.scenarios.model import scenario_from


def experiment(rate: int) -> Experiment:
    return Experiment.of(scenario_from({"name": "loss", "workload": {"rate_per_s": rate}}, "test"))


def row(name: str, of: Experiment, **values: float) -> tuple[Experiment, RunRow]:
    return of, RunRow(run=name, experiment=of.experiment, began_wall_ns=1, verdict="PASS", values=values)


ONE, TWO = experiment(111), experiment(222)


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    """Neither the order in which runs are recorded nor a second time changes the file, and it is read as it was."""
    rows = [row("20260101T000000Z-aaaaaa", ONE, lost=1.0), row("20260102T000000Z-bbbbbb", TWO, lost=0.5)]
    there, back = CampaignFile().joined(rows), CampaignFile().joined(rows[1:]).joined(rows)
    assert there.text() == back.joined(rows[::-1]).text()
    write(tmp_path / "a.jsonl", there)
    assert read(tmp_path / "a.jsonl").text() == there.text() and read(tmp_path / "a.jsonl").runs == there.runs


def test_a_run_counts_once() -> None:
    """Recorded again it replaces its line; an experiment without runs goes."""
    first, again = row("20260101T000000Z-aaaaaa", ONE, lost=1.0), row("20260101T000000Z-aaaaaa", TWO, lost=2.0)
    found = CampaignFile().joined([first]).joined([again])
    assert list(found.runs.values()) == [again[1]] and list(found.experiments) == [TWO.experiment]


def test_two_files_put_together_by_git_are_one(tmp_path: Path) -> None:
    """Lines that stand there twice are the same run."""
    text = CampaignFile().joined([row("20260101T000000Z-aaaaaa", ONE, lost=1.0)]).text()
    (tmp_path / "a.jsonl").write_bytes(text + text)
    assert read(tmp_path / "a.jsonl").text() == text


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text + text.replace(b'"lost":1.0', b'"lost":2.0'), "stands there before, with other results"),
        (lambda text: b"<<<<<<< ours\n" + text, "line 1 is no row of a campaign"),
        (lambda text: text.splitlines(keepends=True)[1], "no line says what was declared"),
        (lambda text: text.replace(b'"rate_per_s":111', b'"rate_per_s":777'), "changed by hand"),
        (lambda text: text.replace(b'"is":"run"', b'"is":"walk"'), "line 2 is no row of a campaign"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path: Path, damage: object, said: str) -> None:
    """What git left of a conflict, or a hand changed, is named with its line."""
    text = CampaignFile().joined([row("20260101T000000Z-aaaaaa", ONE, lost=1.0)]).text()
    assert callable(damage)
    (tmp_path / "a.jsonl").write_bytes(damage(text))
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "a.jsonl")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(UsageError, match=r"a\.jsonl cannot be read"):
        read(tmp_path / "a.jsonl")
