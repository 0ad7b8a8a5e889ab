"""Runs whose quantities and conditions were recorded in a campaign's file: they count without their folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from factorylab.audit.judged import JudgedRun
from factorylab.audit.kept_verdict import verdict_of
from factorylab.audit.model.verdict import NOT_RECORDED, Verdict
from factorylab.audit.sets import conditions
from factorylab.audit.sets.quantities import INVALID, QUANTITIES, Value, quantities
from factorylab.history.campaign_file import CampaignFile, Experiment, RunRow
from factorylab.scenarios.model import Scenario, scenario_from

DIGITS = 6  # after the comma: microseconds


@dataclass(frozen=True)
class RecordedRun:
    """One run of a campaign's file."""

    experiment: Experiment
    row: RunRow

    @property
    def name(self) -> str:
        """Its folder's: the time, and its id."""
        return self.row.run

    @property
    def run_id(self) -> str:
        return self.row.run.rpartition("-")[2]

    @cached_property
    def scenario(self) -> Scenario:
        """What was declared; a key that is younger than the run has its default.

        Raises:
            ScenarioError: this factorylab does not take it.
        """
        return scenario_from(self.experiment.scenario, f"{self.name} in a campaign's file")

    @property
    def title(self) -> str:
        return self.scenario.title

    @property
    def invalid(self) -> bool:
        return self.row.verdict == INVALID

    @cached_property
    def declared_values(self) -> dict[str, object]:
        """As `conditions.declared_values` has them of a run."""
        return conditions.declared_values(self.scenario)

    @cached_property
    def declared(self) -> dict[str, str]:
        """As `conditions.declared` has it of a run."""
        return conditions.in_words(self.declared_values)

    @cached_property
    def values(self) -> dict[str, Value]:
        """As `quantities` has them of a run. A quantity that there was not yet when the run was recorded says so."""
        found = {q.name: Value(None, missing=NOT_RECORDED) for q in QUANTITIES}
        found |= {name: Value(None, missing=why) for why, names in self.row.missing.items() for name in names}
        low = set(self.row.censored)
        return found | {name: Value(value, name in low) for name, value in self.row.values.items()}


AnyRun = JudgedRun | RecordedRun


def conditions_of(run: AnyRun) -> dict[str, str]:
    """All conditions of a run, declared and met."""
    if isinstance(run, RecordedRun):
        return run.declared | run.row.met
    return conditions.declared(run) | conditions.met(run)


def recorded_runs(campaign: CampaignFile) -> list[RecordedRun]:
    """The runs of a file, in the order of time."""
    return [RecordedRun(campaign.experiments[row.experiment], row) for _, row in sorted(campaign.runs.items())]


def row_of(run: JudgedRun) -> tuple[Experiment, RunRow]:
    """A finished run as it is recorded; it is judged unless it was.

    Raises:
        ScenarioError: its scenario cannot be read.
    """
    verdict, experiment = verdict_of(run), Experiment.of(run.scenario)
    row = RunRow(
        run=run.folder.path.name,
        experiment=experiment.experiment,
        began_wall_ns=run.manifest.started_wall_ns,
        verdict=verdict.verdict,
    )
    return experiment, _with_reasons(row, verdict) if verdict.verdict == INVALID else _with_values(row, run, verdict)


def _with_reasons(row: RunRow, verdict: Verdict) -> RunRow:
    """Of an INVALID run only why it is that: nobody knows what it met."""
    why = [f"{check.name}: {check.measured}" for check in verdict.fired if check.verdict == INVALID]
    return msgspec.structs.replace(row, why=why)


def _with_values(row: RunRow, run: JudgedRun, verdict: Verdict) -> RunRow:
    values = quantities(run, verdict)
    missing: dict[str, list[str]] = {}
    for name, value in values.items():
        if value.value is None:
            missing.setdefault(value.missing, []).append(name)
    return msgspec.structs.replace(
        row,
        met=conditions.met(run),
        values=dict(_rounded(values)),
        censored=[name for name, value in values.items() if value.censored],
        missing=missing,
    )


def _rounded(values: dict[str, Value]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if value.value is not None:
            yield name, round(value.value, DIGITS)
