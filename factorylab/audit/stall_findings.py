"""Stalls of a run as the verdict tells them: measured, not judged; the objective `recovery_s` judges the last end."""

from __future__ import annotations

from typing import Any

import pandas as pd

from factorylab.analysis.causes import NO_OWNER, STORE_AWAY, Span
from factorylab.analysis.spans import outside
from factorylab.analysis.stalls import NO_FAULT, stalled
from factorylab.audit.model import findings
from factorylab.audit.model.registry import Evidence
from factorylab.audit.model.stall import Cause, Service, Stall, StallSum
from factorylab.core.clock import NS
from factorylab.core.vocabulary import COORDINATES
from factorylab.history.saved_run import Run, each

SESSION, BROKER_SESSION = "session.timeout.ms", "group.consumer.session.timeout.ms"
NEAR_S = 1.0  # callbacks come in polls, at most so long after what they tell


def service(e: Evidence, lost: int | str | None) -> Service:
    """How service held on each partition, with the causes that the tables show."""
    frame = e.stalls
    since = frame[frame["fault"] != NO_FAULT]
    unowned_s = _beyond_acks(since, NO_OWNER)
    return Service(
        partitions=e.run.scenario.topology.partitions,
        lost=lost,
        stalls=[_stall(row) for row in each(frame)],
        sums=[
            StallSum(
                row.partition,
                findings.Span.of(row.acks_s, row.acks_open),
                findings.Span.of(row.stores_s, row.stores_open),
            )
            for row in each(stalled(since))
        ],
        unowned_s=unowned_s,
        unowned_because=_because(e.run, since) if unowned_s else "",
        away_s=_beyond_acks(since, STORE_AWAY),
    )


def _stall(row: Any) -> Stall:
    lasted: dict[tuple[str, str], float] = {}
    for one in row.stretches:
        lasted[one.cause, one.of] = lasted.get((one.cause, one.of), 0.0) + one.end_s - one.start_s
    return Stall(
        fault=int(row.fault),
        partition=int(row.partition),
        service=row.service,
        start_s=round(float(row.start_s), 3),
        end_s=round(float(row.end_s), 3),
        open=bool(row.open),
        causes=[Cause(what, of, round(float(seconds), 3)) for (what, of), seconds in lasted.items()],
    )


def _beyond_acks(frame: pd.DataFrame, cause: str) -> float:
    """How long a cause held stores up while acks went on, on the partition where that was longest."""
    sums = [0.0]
    for _, mine in frame.groupby("partition"):
        acks: list[Span] = [(s.start_s, s.end_s) for s in each(mine[mine["service"] == "acks"])]
        spans = [(one.start_s, one.end_s) for row in mine["stretches"] for one in row if one.cause == cause]
        sums.append(sum(end - start for span in spans for start, end in outside(acks, span)))
    return round(float(max(sums)), 3)


def _because(run: Run, frame: pd.DataFrame) -> str:
    """Why partitions had no owner: one that was away, a session that ran out, or nothing that is seen."""
    spans = [one for row in frame["stretches"] for one in row if one.cause == NO_OWNER]
    if away := sorted({one.of for one in spans if one.of}):
        return f"{', '.join(away)} was away"
    starts = [one.start_s for one in spans]
    gone = run.group[run.group["event"] == "lost"]
    lost_s = [t for t in run.seconds(gone["t_ns"]) if any(abs(t - start) <= NEAR_S for start in starts)]
    return _session(run, min(lost_s)) if lost_s else ""


def _session(run: Run, lost_s: float) -> str:
    """A session ran out if a member lost its partitions that long after the fault began, less the heartbeat before."""
    told = run.manifest.consumer.get(SESSION) if run.scenario.clients.protocol != "consumer" else None
    session_ms = told or run.manifest.broker_config.get(BROKER_SESSION)
    begun = run.faults[run.faults["step"] == "intended"]
    before = begun[run.seconds(begun["t_ns"]) < lost_s]
    if session_ms is None or before.empty or _too_slow(run, lost_s):
        return ""
    session_s, since_s = int(session_ms) / 1000, lost_s - float(run.seconds(before["t_ns"]).max())
    if since_s < session_s / 2:
        return ""
    coordinated = before["evidence"].astype(str).str.contains(COORDINATES).any()
    return f"the session of {session_s:g} s ran out while " + (
        "the coordinator was away" if coordinated else "no heartbeat was answered"
    )


def _too_slow(run: Run, at_s: float) -> bool:
    """Whether a processor noted that it had worked too long to be polled in time."""
    noted = run.events[run.events["event"] == "too_slow"]
    return bool(((noted["t_ns"] - run.t0_ns) / NS - at_s).abs().le(NEAR_S).any())
