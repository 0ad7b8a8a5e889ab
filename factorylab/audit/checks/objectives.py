"""What the system promised. A missed objective is a FAIL, as a lost record is.

A censored value misses its objective only where what was watched is already too long; else it has no answer, and a
check without an answer is INVALID.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from factorylab.analysis.quantiles import quantiles
from factorylab.analysis.readings import SHED
from factorylab.audit.model.registry import Evidence, Found, check

NO_OBJECTIVE = "no objective"
SERVED = ("sends", "commits", "faults", "phases")  # tables whose times say when the service was there


def _within(limit: float | None, measured: Callable[[], pd.DataFrame], seconds_of: str, censored_of: str) -> Found:
    """Each of the measured seconds, a column of a frame, against `limit`; nothing is measured without one."""
    if limit is None:
        return Found(0, 0, not_asked=NO_OBJECTIVE)
    frame = measured()
    seconds, censored = frame[seconds_of].tolist(), frame[censored_of].tolist()
    if not seconds:
        raise ValueError("nothing was measured")
    worst = max(seconds)
    if any(censored) and worst <= limit:
        raise ValueError(f"the end was not seen within {worst:.2f} s, at most {limit:g} s are allowed")
    late = sum(s > limit for s in seconds)
    return Found(late, len(seconds), f"worst {'> ' * any(censored)}{worst:.2f} s, allowed {limit:g} s")


def _at_most(e: Evidence, limit: int | None, count: int) -> Found:
    """`count` readings against `limit`."""
    offered = e.count(lambda k: k.offered)
    if limit is None:
        return Found(0, offered, f"{count:,} in all", not_asked=NO_OBJECTIVE)
    return Found(count if count > limit else 0, offered, f"{count:,} in all, at most {limit:,} allowed")


@check("The service recovered in time from every fault.", "faults took too long", by_times_of=SERVED)
def recovery_s(e: Evidence) -> Found:
    if e.fault_windows.empty:
        return Found(0, 0, not_asked="no fault")
    return _within(e.run.scenario.objectives.recovery_s, lambda: e.recovery, "recovery_s", "recovery_censored")


@check("No partition went too long without an acknowledgement.", "partitions had too long a gap", by_times_of=SERVED)
def ack_gap_s(e: Evidence) -> Found:
    return _within(e.run.scenario.objectives.ack_gap_s, lambda: e.ack_gaps, "gap_s", "censored")


@check("99 of 100 readings were stored in time after their intended send.", "readings took longer", by_times_of=SERVED)
def latency_p99_s(e: Evidence) -> Found:
    """`count` are the readings beyond the objective, and 0 where they are no more than 1 %."""
    limit, n = e.run.scenario.objectives.latency_p99_s, len(e.latency["latency_s"])
    if limit is None:
        return Found(0, n, not_asked=NO_OBJECTIVE)
    if not n:
        raise ValueError("no latency was measured")
    p99 = quantiles(e.latency["latency_s"], [0.99])[0]
    late = sum(int(np.count_nonzero(part > limit)) for part in e.latency["latency_s"].parts())
    return Found(late if p99 > limit else 0, n, f"p99 {p99:.3f} s, allowed {limit:g} s")


@check("The producers shed no more than allowed.", "readings were shed")
def shed(e: Evidence) -> Found:
    return _at_most(e, e.run.scenario.objectives.shed, e.count(lambda k: k.outcome == SHED))


@check("The promised rate was kept.", "promises were missed")
def kept_per_s(e: Evidence) -> Found:
    """Where the generator gave way before, how far the system goes was not shown."""
    promised, limit = e.run.scenario.objectives.kept_per_s, e.limit
    if promised is None or limit is None:
        return Found(0, 0, not_asked=NO_OBJECTIVE)
    missed = (limit.kept_per_s or 0) < promised
    if missed and limit.gave_way == "generator":
        raise ValueError(f"{promised:,g}/s were promised. {limit}")
    return Found(int(missed), 1, f"{promised:,g}/s were promised. {limit}")


@check("No more readings than allowed stayed out of the store, whatever became of them.", "readings are not stored")
def unstored(e: Evidence) -> Found:
    """Offered − stored: what was never acknowledged is in it, so a loss under acks=0 shows here and nowhere else."""
    found = _at_most(e, e.run.scenario.objectives.unstored, e.count(lambda k: k.offered) - e.count(lambda k: k.stored))
    missing = e.witnesses(e.select(lambda k: k.offered & ~k.stored), "not in the store") if found.count else []
    return replace(found, witnesses=missing)
