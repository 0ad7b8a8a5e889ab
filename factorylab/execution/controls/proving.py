"""Findings of a check of settings, shown or not on a real cluster: controls are run with the settings of the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from factorylab.core.errors import LabError
from factorylab.execution.controls.series import Say, carry_out
from factorylab.scenarios.configuration.proof import Plan

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.model.verdict import Verdict

Outcome = Literal["shown", "not shown", "inconclusive", "not asked"]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a finding. *Shown*: a check that its control must be reported by fired. *Not shown*: none did in
    this one run, which does not say that none ever does. *Inconclusive*: the run's own evidence was bad, or it could
    not be carried out. *Not asked*: nothing was run. `left_out`: settings of the file that the run did not have."""

    rule: str
    file: str
    outcome: Outcome
    because: str
    control: str = ""
    run_id: str = ""
    left_out: list[str] = []


def prove(plans: Sequence[Plan], say: Say) -> Iterator[Proof]:
    """The proof of each plan, in turn: those without a scenario at once, the others on one lab, as it comes."""
    for plan in plans:
        if plan.scenario is None:
            yield _proof(plan, "not asked", plan.why_not)
    wanted = [plan for plan in plans if plan.scenario]
    if not wanted:
        return
    runs = carry_out([plan.scenario for plan in wanted if plan.scenario], say)
    for plan, came in zip(wanted, runs, strict=True):
        yield _proof(plan, "inconclusive", str(came)) if isinstance(came, LabError) else _of_run(plan, came)


def _of_run(plan: Plan, run: JudgedRun) -> Proof:
    outcome, because = outcome_of(run.verdict)
    proof = _proof(plan, outcome, because, run.folder.run_id)
    run.release()
    return proof


def outcome_of(verdict: Verdict) -> tuple[Outcome, str]:
    """Whether one of the checks that its scenario expects fired, and how often."""
    declared = [] if isinstance(verdict.expectation, str) else verdict.expectation
    if invalid := [one.name for one in verdict.fired if one.verdict == "INVALID"]:
        return "inconclusive", f"the run's own evidence was bad: {', '.join(invalid)}"
    found = [one for one in verdict.fired if one.name in declared]
    if found:
        return "shown", ", ".join(f"{one.count:,} by {one.name}, of {one.n:,}" for one in found)
    return "not shown", f"none by {', '.join(declared)} in one run"


def _proof(plan: Plan, outcome: Outcome, because: str, run_id: str = "") -> Proof:
    return Proof(
        rule=plan.finding.rule,
        file=plan.finding.file,
        outcome=outcome,
        because=because,
        control=plan.control or "",
        run_id=run_id,
        left_out=list(plan.left_out),
    )
