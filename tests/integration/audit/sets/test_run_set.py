"""From saved runs to sets: their quantities, conditions and cells, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.audit.judged import JudgedRun
from factorylab.audit.sets.conditions import cell, declared, fits
from factorylab.audit.sets.quantities import QUANTITIES, known, quantities
from factorylab.audit.sets.run_set import RunSet, by_cell
from factorylab.audit.sets.summary import headline, summary
from factorylab.core.errors import UsageError
from tests.support.histories import broker_loss, healthy, scenario


def silent(text: str) -> None:
    del text


def sets(*runs: JudgedRun, **wanted: str) -> list[RunSet]:
    return by_cell(runs, wanted, silent)


@pytest.fixture(scope="module")
def lost_broker(tmp_path_factory: pytest.TempPathFactory) -> JudgedRun:
    return broker_loss(tmp_path_factory.mktemp("runs")).saved()


def test_quantities_are_the_verdicts_numbers(lost_broker: JudgedRun) -> None:
    """Each number is that of the verdict, with its parts, its unit and its censoring."""
    verdict = lost_broker.verdict
    found = quantities(lost_broker, verdict)
    assert verdict.counts and verdict.latency and verdict.service
    assert found["recovery"].value == found["recovery.0"].value == verdict.recovery[0].recovery.seconds
    assert {found[f"ack_gap.{g.partition}"].value for g in verdict.ack_gaps} == {
        g.gap.seconds for g in verdict.ack_gaps
    }
    assert found["ack_gap"].value == max(g.gap.seconds for g in verdict.ack_gaps)
    assert (found["offered"].value, found["latency_p99"].value) == (verdict.counts.offered, verdict.latency.p99_s)
    assert found["acks_stalled"].value == max(s.acks.seconds for s in verdict.service.sums)
    assert found["offered_per_s"].value == pytest.approx(lost_broker.scenario.workload.rate_per_s, rel=0.02)
    assert {known(name).name for name in found} == {quantity.name for quantity in QUANTITIES}


def test_what_was_not_measured_says_why(tmp_path: Path) -> None:
    """Without a fault there is no recovery; a rate that was not asked for, and counts of an older history, say so."""
    history = healthy(tmp_path)
    history.made_of["schema_version"] = 5
    run = history.run()
    found = quantities(run, run.verdict)
    whys = {name: found[name].missing for name in ("recovery", "acks_stalled", "kept_per_s", "due", "lost")}
    assert whys == {
        "recovery": "no fault",
        "acks_stalled": "no fault",
        "kept_per_s": "not asked",
        "due": "not recorded",
        "lost": "",
    }


def test_repetitions_differ_in_nothing_that_was_declared(tmp_path: Path) -> None:
    """Runs with another seed or objective are repetitions; another rate makes another cell."""
    load = {"rate_per_s": 100, "sensors": 6}
    made = [{"workload": load}, {"workload": {**load, "seed": 2}}, {"objectives": {"latency_p99_s": 5}}]
    first, *others = (cell(healthy(tmp_path, scenario(**changes)).run()) for changes in made)
    assert others == [first, first]
    assert cell(healthy(tmp_path, scenario(workload={**load, "rate_per_s": 50})).run()) != first


def test_cells_of_one_scenario_say_what_tells_them_apart(tmp_path: Path) -> None:
    """Two rates of one scenario are two sets, each with its own in the headline."""
    slow, fast = (healthy(tmp_path, scenario(workload={"rate_per_s": rate, "sensors": 6})) for rate in (20, 40))
    found = sets(slow.saved(), fast.saved())
    assert [one.unlike for one in found] == [{"workload.rate_per_s": "20.0"}, {"workload.rate_per_s": "40.0"}]
    assert "handmade (workload.rate_per_s 40.0): " in headline(summary(found[1], []))


def test_what_is_no_evidence_is_left_out_and_counted(tmp_path: Path) -> None:
    """An INVALID run and one that did not finish are counted by their ids, and their numbers are in no sample."""
    good, bad, cut = (healthy(tmp_path).saved() for _ in range(3))
    (bad.folder.logs / "late.log").write_text("x")
    (cut.folder.raw / "seal.json").unlink()
    (found,) = sets(good, bad, cut)
    assert found.left_out == {bad.folder.run_id: "INVALID", cut.folder.run_id: "not finished"}
    assert [run.run_id for run in found.runs] == [good.folder.run_id] and len(found.sample("offered")) == 1


def test_runs_are_chosen_by_their_conditions(tmp_path: Path, lost_broker: JudgedRun) -> None:
    """A condition picks the runs that have it, by the end of its name; one that no run has is refused."""
    runs = (lost_broker, healthy(tmp_path).saved())
    (found,) = sets(*runs, target=lost_broker.scenario.faults[0].target)
    assert [run.run_id for run in found.runs] == [lost_broker.folder.run_id]
    assert found.runs[0].met["faults.0.roles"].startswith("leader")
    with pytest.raises(UsageError, match="no run has roles nobody"):
        sets(*runs, roles="nobody")


def test_a_condition_is_named_clearly(lost_broker: JudgedRun) -> None:
    """The end of a name that several conditions share is refused with all of them."""
    conditions = declared(lost_broker)
    assert fits(conditions, {"rate_per_s": "100.0"}) and not fits(conditions, {"rate_per_s": "7"})
    with pytest.raises(UsageError, match="write one of them whole"):
        fits({"faults.0.kind": "kill", "faults.1.kind": "kill"}, {"kind": "kill"})


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """A damaged scenario is told of, as a warning where nobody listens, and the other runs are there; with damaged ones
    alone there is no set."""
    whole, damaged = (healthy(tmp_path).saved() for _ in range(2))
    (damaged.folder.raw / "scenario.json").write_text("{")
    said: list[str] = []
    (found,) = by_cell([damaged, whole], say=said.append)
    assert [run.run_id for run in found.runs] == [whole.folder.run_id]
    assert any(damaged.folder.path.name in text and "left out" in text for text in said)
    with pytest.warns(UserWarning, match=damaged.folder.path.name):
        assert by_cell([damaged, whole]) == [found]
    with pytest.raises(UsageError, match="no run can be read"):
        sets(damaged)
