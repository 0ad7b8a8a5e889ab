"""What a run shows of a finding: by its verdict, shown, not shown, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import StartFailed
from factorylab.execution.controls import proving
from factorylab.execution.controls.proving import outcome_of, prove
from factorylab.scenarios.configuration.proof import Plan
from factorylab.scenarios.configuration.report import Finding
from factorylab.scenarios.controls import CONTROLS
from tests.support.histories import healthy, scenario

BAD = "the run's own evidence was bad: work_agrees, two_owners"
FINDING = Finding(
    rule="acks_of_the_leader_alone", kind="loss", role="producer", file="mine.properties", settings=[], failure="",
    why="", prevention="", source="", shown_by=[],
)  # fmt: skip


def test_a_loss_that_the_control_declares_is_shown(tmp_path: Path) -> None:
    """Readings that were acknowledged and are gone: shown, with their number."""
    history = healthy(tmp_path, scenario(expect=["lost_in_log"]))
    history["log"] = history["log"].drop(index=[5, 6])
    assert outcome_of(history.run().verdict)[0] == "shown"
    assert outcome_of(history.run().verdict)[1].startswith("2 by lost_in_log, of ")


def test_a_whole_run_shows_nothing(tmp_path: Path) -> None:
    """Nothing was lost: not shown, which names what was looked for, and speaks of one run."""
    verdict = healthy(tmp_path, scenario(expect=["lost_in_log"])).run().verdict
    assert outcome_of(verdict) == ("not shown", "none by lost_in_log in one run")


def test_a_run_with_bad_evidence_is_inconclusive(tmp_path: Path) -> None:
    """Where no member of the group was heard of, a loss proves nothing either."""
    history = healthy(tmp_path, scenario(expect=["lost_in_log"]))
    history["log"] = history["log"].drop(index=[5, 6])
    history["group"] = history["group"].head(0)
    assert outcome_of(history.run().verdict) == ("inconclusive", BAD)


def test_each_plan_has_one_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be run is not asked, what could not be carried out is inconclusive, each with its reason."""
    monkeypatch.setattr(proving, "carry_out", lambda *_: iter([StartFailed("no broker today")]))
    planned = Plan(FINDING, "P1", CONTROLS["P1"].broken, ("buffer.memory",))
    proofs = list(prove([planned, Plan(FINDING, why_not="no control shows it")], print))
    assert [(p.outcome, p.because) for p in proofs] == [
        ("not asked", "no control shows it"), ("inconclusive", "no broker today"),
    ]  # fmt: skip
    assert proofs[1].left_out == ["buffer.memory"]
