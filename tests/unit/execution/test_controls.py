"""Controls: what is declared, and how results are counted and kept."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from factorylab.core.errors import UsageError
from factorylab.core.vocabulary import WorkStep
from factorylab.execution.controls import campaign, control_evidence, crash, detection
from factorylab.execution.controls.control_results import Campaign
from factorylab.scenarios.controls import CONTROLS, FAST, NAMES, ControlName
from factorylab.scenarios.model import STEPS, Scenario
from tests.support.control_results import result
from tests.support.histories import healthy, scenario
from tests.support.places import ROOT
from tests.support.spoils import answer, fired, lose

TWINS = [(name, control) for name, control in CONTROLS.items() if control.repaired]


def test_every_control_is_declared_once() -> None:
    """The controls are those of the type and of the table in docs/controls.md, in one order."""
    rows = re.findall(r"^\| ([PN]\w+) \|", (ROOT / "docs/controls.md").read_text(), re.MULTILINE)
    assert tuple(CONTROLS) == NAMES == tuple(rows)
    assert all(control.injection for control in CONTROLS.values()) and set(FAST) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_broken_ones_name_their_checks_and_twins_pass(name: ControlName) -> None:
    """A positive control expects named checks (P8: evidence beside a PASS), a twin and a negative control PASS."""
    control = CONTROLS[name]
    negative = re.fullmatch(r"N\d+", name) is not None
    assert (control.broken.expect == "pass") == (negative or name == "P8")
    assert (control.repaired is None) == negative
    assert control.repaired is None or control.repaired.expect == "pass"
    assert control_evidence.BROKEN.keys() == CONTROLS.keys()


@pytest.mark.parametrize(("name", "control"), TWINS, ids=[name for name, _ in TWINS])
def test_a_twin_differs_by_one_part(name: ControlName, control: object) -> None:
    """A twin has the broken one's workload, schedule and kinds of faults, and differs in topology, clients or both."""
    broken, repaired = CONTROLS[name].scenarios
    differ = {part for part in Scenario.model_fields if getattr(broken, part) != getattr(repaired, part)}
    assert {"variant"} < differ <= {"variant", "expect", "topology", "clients", "faults"}
    assert [(f.kind, f.target, f.at_s, f.hold_s) for f in broken.faults] == [
        (f.kind, f.target, f.at_s, f.hold_s) for f in repaired.faults
    ]
    assert "faults" not in differ or name == "P5"  # the factory's commit in Kafka comes after its store, not before


@pytest.mark.parametrize(
    ("given", "sort"),
    [
        ({}, "as declared"),
        ({"evidence_count": 0}, "inconclusive"),
        ({"met": False, "verdict": "INVALID", "fired": ["seal"], "invalid": ["seal"]}, "inconclusive"),
        ({"met": False, "fired": ["duplicate_in_store", "seal"], "invalid": ["seal"]}, "inconclusive"),
        ({"met": False, "fired": ["lost_in_log", "seal"], "invalid": ["seal"]}, "otherwise"),
        ({"met": False, "verdict": None}, "inconclusive"),
        ({"met": False, "verdict": "PASS"}, "otherwise"),
        ({"met": False, "verdict": "FAIL", "fired": ["lost_in_log"]}, "otherwise"),
        ({"met": False, "verdict": "NOT_DRAINED"}, "otherwise"),
    ],
)
def test_a_result_is_sorted(given: dict[str, object], sort: str) -> None:
    """Only the declared verdict with its evidence is good; what is invalid is inconclusive; the rest is otherwise."""
    assert result(**given).sort == sort


def test_a_plan_has_each_twin_and_is_shuffled_by_seed() -> None:
    """Every round holds each control and its twin once with its own seed, and a seed gives one plan."""
    planned = campaign.plan(("P5", "P6", "N4"), 3, seed=7)
    words = {"P5", "P5 repaired", "P6", "P6 repaired", "N4"}
    assert [{s.variant for s in planned[i : i + 5]} for i in (0, 5, 10)] == [words] * 3
    assert [{s.workload.seed for s in planned[i : i + 5]} for i in (0, 5, 10)] == [{7}, {8}, {9}]
    assert planned == campaign.plan(("P5", "P6", "N4"), 3, seed=7) != campaign.plan(("P5", "P6", "N4"), 3, seed=8)


def test_what_has_a_result_is_not_run_again() -> None:
    """Of a plan is left what has no result: an inconclusive one counts, another seed's or its twin's does not."""
    planned = campaign.plan(("P6",), 2, seed=1)
    void = result(met=False, verdict="INVALID", fired=["seal"], invalid=["seal"])
    left = campaign.left(planned, Campaign([void, result(repaired=True, seed=2)]))
    assert {(s.variant, s.workload.seed) for s in left} == {("P6 repaired", 1), ("P6", 2)} and len(left) == 2


def test_unknown_controls_are_refused() -> None:
    """A control that does not exist is refused with the list of those that do; fast and all are words for several."""
    with pytest.raises(UsageError, match=r"no control P10: choose of P1, P2"):
        campaign.chosen(["P1", "P10"])
    assert campaign.chosen(["fast"]) == FAST and campaign.chosen(["all"]) == NAMES
    with pytest.raises(UsageError, match="no never: choose of taken"):
        crash.plan(["fenced"], ["never"])


def test_the_table_counts_every_sort() -> None:
    """One row for a control and one for its twin, with counts that add up to n and the words of both declarations."""
    made = Campaign([result(evidence="3 rows"), result(met=False, verdict="PASS", fired=[]), result(repaired=True)])
    table = detection.table(made)
    row = table.loc[("P6", "without")]
    assert (row["n"], row["as declared"], row["inconclusive"], row["otherwise"]) == (2, 1, 0, 1)
    assert (
        row["expected"] == "FAIL duplicate_in_store" and "PASS (1)" in row["reported"] and row["evidence"] == "3 rows"
    )
    more = detection.table(Campaign([result(evidence="3 rows"), result(evidence="5 rows", evidence_count=5)]))
    assert more.loc[("P6", "without"), "evidence"] == "3 to 5; the last 5 rows"
    assert table.loc[("P6", "with"), "what"] == CONTROLS["P6"].prevented_by
    passed = msgspec.structs.replace(result(repaired=True, verdict="PASS", fired=[]), expected=["PASS"])
    void = result(met=False, verdict="INVALID", fired=["seal"], invalid=["seal"])
    assert detection.conclusion(Campaign([*made.results, passed, void])) == (
        "Of the runs that must be reported, as declared: 2 of 3 (95 % interval from 20.7 %). "
        "Of those that must pass: 1 of 1 (95 % interval from 20.6 %). 1 more are inconclusive."
    )


def test_crash_points_are_exhaustive() -> None:
    """Every step of every kind is killed at, and the table shows it with a dash where a kind has no such step."""
    points = crash.plan(list(crash.PROCESSOR_KINDS), [])
    assert len(points) == sum(len(STEPS[clients.processor]) for clients in crash.PROCESSOR_KINDS.values())
    assert [s.faults[-1].step for s in (crash.scenario(*point) for point in points)] == [step for _, step in points]
    shown = crash.table([crash.Crash(kind="fenced", step="taken", verdict="PASS"), doubled(3), doubled(9)])
    assert shown.loc["taken", "naive"].tolist() == ["–"] * 4
    assert shown.loc["after_store", "naive"].tolist() == ["0", "3–9", "0", "FAIL"]


def test_crash_points_are_concluded_by_kind() -> None:
    """Where something was lost or doubled stands with its number; a run that tells nothing is counted apart."""
    whole = [crash.Crash(kind="fenced", step=step, verdict="PASS") for step in ("taken", "after_store")]
    blind = crash.Crash(kind="naive", step="taken", verdict="INVALID", lost=9)
    assert crash.conclusion([*whole, blind, doubled(1_200)]) == (
        "fenced: killed at 2 steps in 2 runs: nothing lost; nothing doubled.\n\n"
        f"naive: killed at 1 steps in 1 runs: nothing lost; doubled 1,200 at {doubled(1).step}; 1 runs tell nothing."
    )


def test_crash_points_are_kept(tmp_path: Path) -> None:
    """What is recorded reads back, and a folder without a record is refused."""
    crash.record([doubled(3)], tmp_path)
    assert crash.perform_or_recall([], [], str(tmp_path)) == [doubled(3)]
    with pytest.raises(UsageError, match="no record of crash points"):
        crash.perform_or_recall([], [], str(tmp_path / "nowhere"))


def doubled(count: int, step: WorkStep = "after_store") -> crash.Crash:
    return crash.Crash(kind="naive", step=step, verdict="FAIL", doubled=count)


def test_what_is_not_stored_can_be_an_objective(tmp_path: Path) -> None:
    """With unstored=0 a reading that was sent, never acknowledged and not stored fails the run; it is no acked loss."""
    history = healthy(tmp_path, scenario(objectives={"unstored": 0}))
    assert fired(history.run()) == {}
    answer(history, 15, "unknown")
    lose(history, 15)
    assert fired(history.run(), "unstored", "lost_in_log") == {"unstored": 1}


def test_offsets_that_nobody_told_are_not_compared(tmp_path: Path) -> None:
    """The same wrong offsets in the sends are a contradiction where a broker told them, and nothing under acks=0."""
    found = {}
    for acks in ("1", "0"):
        history = healthy(tmp_path, scenario(clients={"acks": acks}))
        history["sends"]["offset"] = history["sends"].groupby("partition").cumcount() + 1
        found[acks] = set(fired(history.run()))
    assert found == {"1": {"inconsistent_offset"}, "0": set()}
