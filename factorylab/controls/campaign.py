"""Controls one after the other on one lab, with repetitions, and what came of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from factorylab import api, manifest, runs
from factorylab.audit.verdict import Outcome
from factorylab.controls.declared import CONTROLS, FAST, NAMES
from factorylab.errors import EnvironmentUnfit, LabError, UsageError
from factorylab.scenario import Scenario
from factorylab.settings import Settings, load_settings

if TYPE_CHECKING:
    from factorylab.house import House
    from factorylab.saved import Run

Say = Callable[[str], None]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a control. `error` says why it could not be carried out: then there is no verdict."""

    control: str
    repaired: bool
    round_no: int
    run_id: str
    finished_utc: str
    expected: list[str]
    verdict: Outcome | None = None
    fired: list[str] = []
    met: bool = False
    evidence_count: int = 0
    evidence: str = ""
    offered: int = 0
    error: str = ""

    @property
    def as_declared(self) -> bool:
        """The verdict is the declared one, and the run shows what the control is about."""
        return self.met and self.evidence_count > 0


class Campaign(msgspec.Struct, frozen=True):
    """Results, and the manifest of the first run for what they share: versions, host, effective configuration."""

    results: list[Result]
    first: manifest.Manifest | None = None


def plan(which: Sequence[str], repetitions: int, seed: int = 1) -> list[tuple[int, Scenario]]:
    """(round, scenario) of each run, shuffled within a round so that a slow hour of the machine hits all alike.

    Raises:
        UsageError: there is no such control.
    """
    names = {"fast": FAST, "all": NAMES}.get(" ".join(which), which)
    if unknown := [name for name in names if name not in CONTROLS]:
        raise UsageError(f"there is no control {', '.join(unknown)}: choose of {', '.join(NAMES)}, or fast, or all")
    dice = random.Random(seed)
    planned: list[tuple[int, Scenario]] = []
    for round_no in range(repetitions):
        scenarios = [s for name in names for s in CONTROLS[name].scenarios]  # type: ignore[index]
        dice.shuffle(scenarios)
        planned += [(round_no, scenario) for scenario in scenarios]
    return planned


def carry_out(planned: Sequence[tuple[int, Scenario]], say: Say = print) -> Iterator[tuple[Result, Run | None]]:
    """Run one after the other on one lab, which is made for all of them unless one is up."""
    settings = load_settings()
    with _lab(settings, planned, say):
        for number, (round_no, scenario) in enumerate(planned, 1):
            say(f"[{number}/{len(planned)}] {scenario.variant}")
            yield _one(scenario, round_no, settings, say)


def _lab(settings: Settings, planned: Sequence[tuple[int, Scenario]], say: Say) -> AbstractContextManager[House | None]:
    """A house for all of them; without networks of their own where this machine cannot give its nodes any."""
    from factorylab.cluster import control
    from factorylab.house import House

    if control.living_state(settings.home):
        return nullcontext()
    faults = [fault for _, scenario in planned for fault in scenario.faults]
    try:
        return House(settings, api.milestones(say), faults)
    except EnvironmentUnfit as error:
        if not any(fault.on_network for fault in faults):
            raise
        say(f"without network faults: {error}")
        return House(settings, api.milestones(say))


def _one(scenario: Scenario, round_no: int, settings: Settings, say: Say) -> tuple[Result, Run | None]:
    from factorylab.cluster import boot
    from factorylab.house import forget

    folder = runs.create(settings.results, scenario)
    try:
        run = api.run(scenario, folder.path, say=lambda _: None)
    except LabError as error:
        say(f"  could not be carried out: {error}")
        return _result(scenario, round_no, folder.run_id, error=str(error)), None
    forget(boot.known_endpoints(settings.home), folder.run_id)
    result = result_of(run, round_no)
    say(f"  {result.verdict}, {'as declared' if result.as_declared else 'NOT as declared'}: {result.evidence}")
    return result, run


def result_of(run: Run, round_no: int = 0) -> Result:
    """What came of one run."""
    from factorylab.controls.evidence import evidence

    shown, verdict = evidence(run), run.verdict
    fired = [check.name for check in verdict.fired]
    return msgspec.structs.replace(
        _result(run.scenario, round_no, run.folder.run_id),
        verdict=verdict.verdict,
        fired=fired,
        met=verdict.met,
        evidence_count=shown.count,
        evidence=str(shown),
        offered=verdict.counts.offered if verdict.counts else 0,
    )


def _result(scenario: Scenario, round_no: int, run_id: str, error: str = "") -> Result:
    name, _, rest = scenario.variant.partition(" ")
    return Result(
        control=name,
        repaired=bool(rest),
        round_no=round_no,
        run_id=run_id,
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        expected=[scenario.expect] if isinstance(scenario.expect, str) else list(scenario.expect),
        error=error,
    )


def perform(which: Sequence[str], repetitions: int = 1, seed: int = 1, say: Say = print) -> Campaign:
    """Run controls by name (or `fast`, or `all`), each `repetitions` times."""
    results: list[Result] = []
    first = None
    for result, run in carry_out(plan(which, repetitions, seed), say):
        results.append(result)
        first = first or (run.manifest if run else None)
        if run:
            run.release()
    return Campaign(results, first)
