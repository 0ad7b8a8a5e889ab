"""Controls with repetitions: what was declared, what was reported, and the record that is kept.

perform(["P5", "P6"], repetitions=5)      run them
carried_out(planned)                      run what is planned, one result after the other
keep(campaign, folder)                    add results to a record, with its figure
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from factorylab.core.errors import LabError, UsageError
from factorylab.execution.controls import detection
from factorylab.execution.controls.control_results import Campaign, Result, recall, record
from factorylab.execution.controls.series import Say, carry_out
from factorylab.report.plots.style import svg
from factorylab.scenarios.controls import CONTROLS, FAST, NAMES, ControlName, seeded
from factorylab.scenarios.model import Scenario

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun

PICTURE = "detection.svg"


def chosen(which: Sequence[str]) -> tuple[ControlName, ...]:
    """Controls by name, or `fast`, or `all`.

    Raises:
        UsageError: there is no such control.
    """
    words = {"fast": FAST, "all": NAMES}
    names = [name for word in which for name in words.get(word, (word,))]
    if unknown := sorted(set(names) - set(NAMES)):
        raise UsageError(f"there is no control {', '.join(unknown)}: choose of {', '.join(NAMES)}, or fast, or all")
    return tuple(name for name in NAMES if name in names)


def plan(names: Sequence[ControlName], repetitions: int, seed: int) -> list[Scenario]:
    """Each with its twin, `repetitions` times, shuffled within a round: a slow hour of the machine hits all alike. A
    round has a workload of its own, which a control shares with its twin; the first round's is that of `seed`."""
    dice = random.Random(seed)
    planned: list[Scenario] = []
    for number in range(repetitions):
        scenarios = [seeded(scenario, seed + number) for name in names for scenario in CONTROLS[name].scenarios]
        dice.shuffle(scenarios)
        planned += scenarios
    return planned


def left(planned: Sequence[Scenario], done: Campaign) -> list[Scenario]:
    """What of a plan has no result yet. An inconclusive run has one."""
    known = {(result.control, result.repaired, result.seed) for result in done.results}
    return [s for s in planned if (*_which(s), s.workload.seed) not in known]


def perform(which: Sequence[str] = ("fast",), repetitions: int = 1, seed: int = 1, say: Say = print) -> Campaign:
    """Run controls on one lab, one after the other."""
    return reduce(Campaign.plus, carried_out(plan(chosen(which), repetitions, seed), say), Campaign([]))


def carried_out(planned: Sequence[Scenario], say: Say = print) -> Iterator[Campaign]:
    """What came of each run that is planned, as soon as it is there; all on one lab."""
    for scenario, came in zip(planned, carry_out(planned, say), strict=True):
        if isinstance(came, LabError):
            one = Campaign([_result(scenario, error=str(came))])
        else:
            one = Campaign([result_of(came)], {scenario.variant: came.manifest})
            came.release()
        result = one.results[0]
        say(f"  {result.sort}: {result.reported}; {result.evidence}")
        yield one


def perform_or_recall(which: Sequence[str], repetitions: int, seed: int, folder: str = "") -> Campaign:
    """Run controls, or with a folder show what was recorded there."""
    return recall(Path(folder)) if folder else perform(which, repetitions, seed)


def keep(campaign: Campaign, folder: Path) -> None:
    """Add results to the record in a folder, and draw its figure anew."""
    (folder / PICTURE).write_text(svg(detection.picture(record(campaign, folder))))


def result_of(run: JudgedRun) -> Result:
    """What came of a run of a control."""
    from factorylab.execution.controls.control_evidence import evidence

    shown, verdict = evidence(run), run.verdict
    return msgspec.structs.replace(
        _result(run.scenario),
        run_id=run.folder.run_id,
        verdict=verdict.verdict,
        commit=run.manifest.commit,
        fired=[check.name for check in verdict.fired],
        invalid=[check.name for check in verdict.fired if check.verdict == "INVALID"],
        met=verdict.met,
        evidence_count=shown.count,
        evidence=str(shown),
        offered=verdict.counts.offered if verdict.counts else 0,
    )


def _result(scenario: Scenario, error: str = "") -> Result:
    name, repaired = _which(scenario)
    return Result(
        control=name,
        repaired=repaired,
        expected=[scenario.expect.upper()] if isinstance(scenario.expect, str) else ["FAIL", *scenario.expect],
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=scenario.workload.seed,
        error=error,
    )


def _which(scenario: Scenario) -> tuple[ControlName, bool]:
    """The control that a scenario is, and whether repaired."""
    name, _, rest = scenario.variant.partition(" ")
    return chosen([name])[0], bool(rest)
