"""Carry out a capacity search: trial by trial on one lab, the result on disk after each of them.

Where the generator is late, its sensors are split over twice as many processes, and the rate is tried again; what it
cannot offer with the most that are allowed bounds the search, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from factorylab.analysis.rate_search import Bracket, Tried, bracket, next_rate
from factorylab.analysis.rate_trial import Fired, Trial, trial
from factorylab.audit.kept_verdict import write_verdict
from factorylab.cluster.settings import Settings
from factorylab.execution.perform import milestones, run
from factorylab.execution.shared_lab import SharedLab, forget
from factorylab.history import provenance
from factorylab.history.manifest import Host
from factorylab.scenarios.capacity import CapacityPlan

Say = Callable[[str], None]
ANSWERED = ("kept_rate", "kept_per_s")
"""The checks of a rate that was not offered, or not kept: the trial's own outcome says so."""


class Capacity(msgspec.Struct, kw_only=True):
    """What a search found. `trials` are all of them, `fleets` is what the generator was split over at the end."""

    plan: dict[str, Any]
    fleets: int
    answer: Bracket
    trials: list[Trial]
    commit: str
    host: Host

    @property
    def gave_way(self) -> list[str]:
        """What gave way first at the lowest rate that was not kept, and how that is known; empty where nothing did."""
        return [f"{one.gave_way}: {'; '.join(one.evidence)}" for one in counted(self.trials) if self._failed(one)]

    def _failed(self, one: Trial) -> bool:
        return one.rate_per_s == self.answer.failed_per_s and one.outcome in {"not kept", "generator late"}


def search(plan: CapacityPlan, settings: Settings, say: Say) -> Capacity:
    """Search on one lab, which is up as long as it lasts; the result is in `path_of` after every trial.

    Raises:
        LabError: a trial could not be carried out.
    """
    path, trials = path_of(settings.results), list[Trial]()
    found = _result(plan, trials)
    with SharedLab(settings, milestones(say)) as lab:
        while (rate := next_rate(plan, tried(plan, trials))) is not None:
            say(f"trial {len(trials) + 1}: {rate:,g} readings/s for {plan.trial_s:g} s")
            trials.append(carry_out(plan, rate, fleets_for(plan, trials), lab, say))
            say(f"  {trials[-1].outcome}: {_words(trials[-1])}")
            found = _result(plan, trials)
            write(path, found)
    return found


def fleets_for(plan: CapacityPlan, trials: Sequence[Trial]) -> int:
    """How many processes the sensors of the next trial are split over: twice as many after the generator was late."""
    fleets = 1
    for one in trials:
        if one.outcome == "generator late" and one.fleets == fleets:
            fleets = min(2 * fleets, plan.fleets_max)
    return fleets


def counted(trials: Sequence[Trial], fleets: int = 1) -> list[Trial]:
    """Without those in which the generator was late with fewer processes than `fleets`, or than it had later."""
    most = max((one.fleets for one in trials), default=fleets)
    return [one for one in trials if one.outcome != "generator late" or one.fleets >= max(most, fleets)]


def tried(plan: CapacityPlan, trials: Sequence[Trial]) -> list[Tried]:
    """The trials as the search counts them: a rate for which the generator gets more processes is tried again."""
    return [Tried(one.rate_per_s, one.outcome) for one in counted(trials, fleets_for(plan, trials))]


def path_of(results: Path) -> Path:
    """A new file under `results` for what a search finds."""
    return results / f"capacity-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"


def write(path: Path, found: Capacity) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    beside.replace(path)


def carry_out(plan: CapacityPlan, rate_per_s: float, fleets: int, lab: SharedLab, say: Say) -> Trial:
    judged = run(plan.trial(rate_per_s, fleets), say=say)
    forget(lab.endpoints, judged.folder.run_id)
    fired = [check for check in write_verdict(judged).fired if check.name not in ANSWERED]
    invalid = [check.name for check in fired if check.verdict == "INVALID"]
    one = trial(judged, plan.latency_s, Fired(invalid, [check.name for check in fired if check.verdict != "INVALID"]))
    judged.release()
    return one


def _result(plan: CapacityPlan, trials: list[Trial]) -> Capacity:
    return Capacity(
        plan=plan.model_dump(mode="json"),
        fleets=fleets_for(plan, trials),
        answer=bracket(plan, tried(plan, trials)),
        trials=list(trials),
        commit=provenance.commit(),
        host=provenance.host(),
    )


def _words(one: Trial) -> str:
    seen = f"stored {one.stored_per_s:,.0f}/s, p50 {one.p50_s:.2f} s, p99 {one.p99_s:.2f} s"
    return "; ".join([seen, *one.evidence[:1]])
