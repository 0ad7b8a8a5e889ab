"""Blind time and alert latency of a run, as the verdict tells them: measured, not judged.

No objective speaks of them: `latency_p99_s` judges all readings together, and what a fault costs each machine follows
from how long it was held.
"""

from __future__ import annotations

from math import isfinite

from factorylab.analysis.alerting import Waits, alert_latency, blind_time, waits
from factorylab.analysis.periods import allowed_s, fault_span
from factorylab.audit.model.findings import Alerting, AlertLatency, Blind
from factorylab.audit.model.registry import Evidence
from factorylab.core.errors import LabError
from factorylab.history.saved_run import each


def _known(seconds: float) -> float | None:
    return round(float(seconds), 3) if isfinite(seconds) else None


def alerting(e: Evidence) -> Alerting:
    """Both, from one look at the readings.

    Raises:
        LabError: the run was recorded without a table that tells, or no machine offered two readings.
    """
    found = waits(e.run, e)
    return Alerting(blind=_blind(e, found), latency=_latency(e, found))


def _latency(e: Evidence, found: Waits) -> list[AlertLatency]:
    return [
        AlertLatency(
            period=row.period,
            of=row.of,
            n=row.n,
            never=row.never,
            p50_s=_known(row.p50_s),
            p99_s=_known(row.p99_s),
            max_s=_known(row.max_s),
        )
        for row in each(alert_latency(e.run, found))
    ]


def _blind(e: Evidence, found: Waits) -> Blind:
    """Of machines that were blind equally long the first is named."""
    table = blind_time(e.run, found)
    if table.empty:
        raise LabError("no machine offered two readings")
    worst = table.iloc[table["blind_s"].argmax()]
    return Blind(
        machines=len(table),
        hit=int((table["blind_s"] > 0).sum()),
        sensor=str(worst["name"]),
        location=str(worst["location"]),
        blind_s=round(float(worst["blind_s"]), 3),
        after_s=round(float(worst["after_s"]), 3),
        before_s=round(float(table["before_s"].max()), 3) if fault_span(e.run) else 0.0,
        longest_wait_s=_known(table["longest_wait_s"].max()),
        never=int(table["never"].sum()),
        interval_s=round(float(table["interval_s"].median()), 3),
        allowed_s=allowed_s(e.run),
    )
