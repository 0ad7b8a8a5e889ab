"""Carry out a capacity search: trial by trial on one lab, the result on disk after each of them.

Where the generator is late, its sensors are split over twice as many processes, and the rate is tried again; what it
cannot offer with the most that are allowed bounds the search, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from factorylab.analysis.capacity import FILES, Capacity, fleets_for, tried
from factorylab.analysis.rate_search import bracket, next_rate
from factorylab.analysis.rate_trial import Fired, Trial, trial
from factorylab.audit.kept_verdict import write_verdict
from factorylab.cluster.settings import Settings
from factorylab.core.files import write_durably
from factorylab.execution.perform import milestones, run
from factorylab.execution.shared_lab import SharedLab, forget
from factorylab.history import provenance
from factorylab.scenarios.capacity import CapacityPlan

Say = Callable[[str], None]


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


def path_of(results: Path) -> Path:
    """A new file under `results` for what a search finds."""
    return results / FILES.replace("*", f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")


def write(path: Path, found: Capacity) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def carry_out(plan: CapacityPlan, rate_per_s: float, fleets: int, lab: SharedLab, say: Say) -> Trial:
    judged = run(plan.trial(rate_per_s, fleets), say=say)
    forget(lab.endpoints, judged.folder.run_id)
    fired = write_verdict(judged).fired
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
