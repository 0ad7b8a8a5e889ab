"""Runs as they are recorded: they say the same without their folders."""

from __future__ import annotations

import msgspec
import pytest

from factorylab.audit.judged import JudgedRun
from factorylab.audit.sets.quantities import Value
from factorylab.audit.sets.recorded import RecordedRun, conditions_of, recorded_runs, row_of
from factorylab.audit.sets.run_set import RunSet, by_cell
from factorylab.history.campaign_file import CampaignFile, read, write
from tests.support.histories import broker_loss, healthy


def silent(text: str) -> None:
    del text


def sets(*runs: JudgedRun | RecordedRun) -> list[RunSet]:
    return by_cell(runs, say=silent)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[JudgedRun]:
    """Two that count, and one that is INVALID."""
    folder = tmp_path_factory.mktemp("runs")
    made = [broker_loss(folder).saved(), healthy(folder).saved(), broker_loss(folder).saved()]
    (made[2].folder.logs / "late.log").write_text("x")
    return made


@pytest.fixture(scope="module")
def recorded(runs: list[JudgedRun], tmp_path_factory: pytest.TempPathFactory) -> list[RecordedRun]:
    path = tmp_path_factory.mktemp("campaigns") / "any.jsonl"
    write(path, CampaignFile().joined(map(row_of, runs)))
    return recorded_runs(read(path))


def test_recorded_runs_are_the_same_sets(runs: list[JudgedRun], recorded: list[RecordedRun]) -> None:
    """Cells, conditions, reasons, censoring and what is left out are those of the folders, values to a microsecond."""
    ours, theirs = (sorted(found, key=lambda one: one.title) for found in (sets(*recorded), sets(*runs)))
    key = [(one.title, one.cell, one.left_out, [run.met for run in one.runs]) for one in ours]
    assert key == [(one.title, one.cell, one.left_out, [run.met for run in one.runs]) for one in theirs]
    assert any(one.left_out for one in ours)
    for one, other in zip(ours, theirs, strict=True):
        for mine, its in zip(one.runs, other.runs, strict=True):
            assert (mine.run_id, mine.began_ns) == (its.run_id, its.began_ns)
            assert {n: (v.censored, v.missing) for n, v in mine.values.items() if n in its.values} == {
                n: (v.censored, v.missing) for n, v in its.values.items()
            }
            assert {n: v.value for n, v in mine.values.items() if v.value is not None} == {
                n: pytest.approx(v.value, abs=1e-6) for n, v in its.values.items() if v.value is not None
            }


def test_a_run_named_twice_counts_once(runs: list[JudgedRun], recorded: list[RecordedRun]) -> None:
    """As a folder and as recorded it is the same run."""
    both = sets(*runs, *recorded)
    assert [len(one.runs) for one in both] == [len(one.runs) for one in sets(*runs)]
    assert [len(one.left_out) for one in both] == [len(one.left_out) for one in sets(*runs)]


def test_a_younger_quantity_was_not_recorded(recorded: list[RecordedRun]) -> None:
    """What the file has neither a value nor a reason for was not recorded: it is no zero."""
    old = next(run for run in recorded if not run.invalid)
    values = {name: value for name, value in old.row.values.items() if name != "offered"}
    run = RecordedRun(old.experiment, msgspec.structs.replace(old.row, values=values))
    assert run.values["offered"] == Value(None, missing="not recorded") and run.values["lost"].value == 0


def test_a_younger_key_has_its_default(recorded: list[RecordedRun]) -> None:
    """A run that was recorded before a key of scenarios was there belongs to the cell of the key's default."""
    old = next(run for run in recorded if not run.invalid)
    scenario = {**old.experiment.scenario, "clients": {"processors": 2}}
    run = RecordedRun(msgspec.structs.replace(old.experiment, scenario=scenario), old.row)
    assert run.declared["clients.linger_ms"] == "20.0" and run.declared == old.declared


def test_conditions_are_the_runs(runs: list[JudgedRun], recorded: list[RecordedRun]) -> None:
    """Declared and met conditions of a run are the same in both forms, so that `@name=value` picks the same."""
    by_id = {run.run_id: conditions_of(run) for run in recorded if not run.invalid}
    assert {run.folder.run_id: conditions_of(run) for run in runs if run.folder.run_id in by_id} == by_id


def test_an_invalid_run_keeps_why(recorded: list[RecordedRun]) -> None:
    """It has no values, and the checks that made it INVALID by name."""
    (bad,) = (run for run in recorded if run.invalid)
    assert not bad.row.values and bad.row.why and all(": " in why for why in bad.row.why)
