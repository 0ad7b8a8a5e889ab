"""What one trial of a capacity search says: whether its rate was kept, and if not, what gave way.

*Kept*: offered as declared, acknowledged and stored in time, the p99 of the latency from the intended send within the
objective in each measured step, and a consumer lag that does not grow. The last is the criterion of Theodolite, by its
trend: a backlog that grows is stored in time only as long as the trial is short.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.latency import PARTS
from factorylab.analysis.limit import cpu_use, gave_way
from factorylab.analysis.rate_search import Outcome
from factorylab.analysis.steps import steps
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.capacity import MEASURED_STEPS

GROWN_S = 0.3
"""Seconds of traffic that the lag may have grown by in the end. Commits are 0.2 s apart, which makes it a saw-tooth."""
GENERATOR_LATE, NOT_KEPT = "kept_rate", "kept_per_s"  # the checks that a rate itself answers for
PLACES = dict(zip(PARTS, ("generator", "brokers", "processors or store"), strict=True))


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Of the measured steps: what was offered and stored a second, quantiles of the latency (of the slowest step) and
    the growth of the lag; NaN where nothing was seen. `gave_way` and `evidence` are empty where the rate was kept."""

    run_id: str
    rate_per_s: float
    fleets: int
    outcome: Outcome
    offered_per_s: float
    stored_per_s: float
    p50_s: float
    p99_s: float
    lag_slope_per_s: float
    gave_way: str = ""
    evidence: list[str] = []


class Fired(msgspec.Struct, frozen=True):
    """Names of the checks of a trial's verdict that were INVALID, and of those that failed."""

    invalid: Collection[str]
    failed: Collection[str]


def trial(run: Run, latency_s: float, fired: Fired) -> Trial:
    """Judge a run of `CapacityPlan.trial`. A generator that is late, while the rate settles in or later, is an outcome;
    whatever else is INVALID makes the trial inconclusive."""
    whole = run.once(steps).tail(1 + MEASURED_STEPS)
    table = whole.tail(MEASURED_STEPS)
    slope = rates.slope_per_s(run.once(rates.total_lag), table["start_s"].min(), table["end_s"].max())
    late = next((s for s in each(whole) if not s.kept), None)
    invalid = sorted(set(fired.invalid) - ({GENERATOR_LATE} if late is not None else set()))
    failed = sorted(set(fired.failed) - {NOT_KEPT})
    if invalid:
        outcome: Outcome = "inconclusive"
        place, evidence = "", [f"INVALID: {', '.join(invalid)}"]
    elif late is not None:
        place, evidence = gave_way(run, late)
        outcome, evidence = "generator late", [*evidence, cpu_use(run, late)]
    else:
        outcome, place, evidence = _judged(run, table, slope, latency_s, failed)
    return Trial(
        run_id=run.folder.run_id,
        rate_per_s=float(run.scenario.workload.steps_per_s[-1]),
        fleets=run.scenario.workload.fleets,
        outcome=outcome,
        offered_per_s=float(table["offered_per_s"].mean()),
        stored_per_s=float(table["achieved_per_s"].mean()),
        p50_s=float(table["p50_s"].max()),
        p99_s=float(table["p99_s"].max()),
        lag_slope_per_s=slope,
        gave_way=place,
        evidence=evidence,
    )


def _judged(
    run: Run, table: pd.DataFrame, slope: float, latency_s: float, failed: Sequence[str]
) -> tuple[Outcome, str, list[str]]:
    """Of a rate that was offered: the outcome, what gave way, and how that is known."""
    if behind := next((s for s in each(table) if not s.keeps_up), None):
        place, evidence = gave_way(run, behind)
        return "not kept", place, [*evidence, cpu_use(run, behind)]
    place, words = _slow(table, slope, latency_s)
    if words:
        return "not kept", place, [words, cpu_use(run, max(each(table), key=lambda s: s.p99_s))]
    if failed:
        return "not kept", "", [f"checks fired: {', '.join(failed)}"]
    return "kept", "", []


def _slow(table: pd.DataFrame, slope: float, latency_s: float) -> tuple[str, str]:
    """Which part is too slow though it keeps up, and how that is known; empty where none is."""
    step, rate = max(each(table), key=lambda s: s.p99_s), float(table["rate_per_s"].iloc[0])
    parts = {part: float(getattr(step, f"{part}_p99_s")) for part in PARTS}
    if not step.p99_s <= latency_s:
        spelled = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        slowest = max(parts, key=lambda part: parts[part])
        return PLACES[slowest], f"p99 {step.p99_s:.2f} s, allowed {latency_s:g} s: {spelled}"
    lasted_s = float(table["end_s"].max() - table["start_s"].min())
    if not slope * lasted_s <= GROWN_S * rate:
        grown = f"the lag grew by {slope:,.0f} records/s for {lasted_s:.0f} s"
        return PLACES["pipeline"], f"{grown}, allowed is {GROWN_S:g} s of traffic in all"
    return "", ""
