"""Sets of runs that were recorded on a real cluster, of old versions of the history too."""

from __future__ import annotations

import pytest

from factorylab import analysis
from factorylab.analysis.victim_roles import roles_by_node
from factorylab.audit.judged import JudgedRun, load
from factorylab.audit.sets.frames import conditions_of, quantities_of
from factorylab.audit.sets.run_set import by_cell
from factorylab.audit.sets.summary import default_names, summary
from tests.support.recorded_runs import unpack

NAMES = ("broker_loss", "consumer_loss", "database_loss", "schema_1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JudgedRun]:
    return {name: load(unpack(name, tmp_path_factory.mktemp(name)).path) for name in NAMES}


def test_every_quantity_is_a_number_or_says_why(runs: dict[str, JudgedRun]) -> None:
    """No run, however old, has a quantity without a value and without a reason, or with both."""
    found = quantities_of(runs.values())
    assert (found["value"].isna() == (found["missing"] != "")).all()
    assert set(found["run"]) == {run.folder.run_id for run in runs.values()}
    assert found[found["value"].notna()].groupby("run").size().min() > 15


def test_sets_are_by_scenario(runs: dict[str, JudgedRun]) -> None:
    """Each scenario is a cell of its own; runs that were INVALID are counted and give no row a value."""
    sets = by_cell(runs.values(), say=lambda text: None)
    told = [summary(one, default_names([one])) for one in sets]
    assert sum(len(one.runs) + len(one.invalid) for one in told) == len(runs)
    assert all(row.n <= len(one.runs) for one in told for row in one.rows)


def test_victims_have_the_roles_that_were_noted(runs: dict[str, JudgedRun]) -> None:
    """The broker that led partition 0 is a leader; a processor and the database are what they are."""
    roles = {name: roles_by_node(run)["roles"].tolist() for name, run in runs.items()}
    assert roles["broker_loss"][0].startswith("leader") and roles["consumer_loss"] == ["processor"]
    assert roles["database_loss"] == ["database"]
    assert conditions_of([runs["broker_loss"]])["faults.0.target"].tolist() == ["leader:0"]


def test_periods_hold_the_stall_of_the_fault(runs: dict[str, JudgedRun]) -> None:
    """The longest latency of a run whose broker was killed belongs to the time during the fault, on a partition that
    stood still; before it no reading waited as long."""
    run = runs["broker_loss"]
    found = analysis.latencies(run)
    worst = found.loc[found["latency_s"].idxmax()]
    stood = analysis.stalled(analysis.stalls(run))["partition"]
    assert worst["period"] == "during" and worst["partition"] in set(stood)
    assert found.query("period == 'before'")["latency_s"].max() < worst["latency_s"]
