"""What a finished run means, from its recorded history alone: checks, and a verdict.

`judge(run)` makes every check and composes the verdict. The same raw/ gives the same bytes: nothing here depends on
the time, the machine or the order of a set.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import TypeVar

import numpy as np
import pandas as pd

from factorylab.analysis.exposure import by_leader, exposure, worst_moment
from factorylab.analysis.looks import unled
from factorylab.analysis.quantiles import quantiles
from factorylab.analysis.readings import FAIL, OK, SHED, UNKNOWN
from factorylab.audit.alert_findings import alerting
from factorylab.audit.checks import (
    completeness,
    duplicates,
    epochs_agree,
    fault_times,
    generator,
    known_names,
    loss,
    objectives,
    observed,
    processors,
    reading_times,
    run_times,
    samples_agree,
    share_groups,
    share_journals,
    transactions,
    undisturbed,
    validity,
    work_agrees,
    work_times,
)
from factorylab.audit.checks.duplicates import again
from factorylab.audit.explain.explanations import explanations
from factorylab.audit.explain.life import life_of_witness
from factorylab.audit.model.findings import Check, Counts, Exposure, Latency, PartitionGap, Recovery, Span, meets, worst
from factorylab.audit.model.registry import Evidence, run_checks
from factorylab.audit.model.verdict import EXIT, Verdict, lost
from factorylab.audit.stall_findings import service
from factorylab.core.clock import NS
from factorylab.core.errors import LabError, NoRoom, UsageError
from factorylab.core.scratch import chunks, room_for
from factorylab.history import manifest
from factorylab.history.saved_run import NOT_OFFERED, Run, each
from factorylab.history.tables import COUNTS_DUE
from factorylab.history.unfinished import broken_off, not_judged

T = TypeVar("T")
SCRATCH_BYTES = 200  # of the temporary folder, for a reading: 180 are used at once
_MODULES = (
    loss, duplicates, processors, objectives, validity, generator, observed, completeness, reading_times, work_times,
    run_times, fault_times, known_names, work_agrees, samples_agree, epochs_agree, undisturbed,
    share_groups, share_journals, transactions,
)  # fmt: skip
"""Importing them registers their checks."""
with_cheap_text = pd.option_context("mode.string_storage", "python")
"""Text of frames as Python's strings: a verdict makes thousands of small frames, and with Arrow's their column names
cost a third of its CPU time. The long columns of text are numbers of words, and not concerned."""


@with_cheap_text
def judge(run: Run) -> Verdict:
    """The verdict on a saved run.

    Raises:
        UsageError: the run did not finish. What was broken off is evidence of nothing.
        EnvironmentUnfit: the temporary folder has no room for what is kept there of a large run.
    """
    if broken_off(run.folder):
        raise UsageError(not_judged(run.folder))
    if not run.folder.sealed:
        manifest.read(run.folder)
    room_for(SCRATCH_BYTES * max(run.row_count(table) for table in ("sends", "log", "rows")))
    try:
        return _verdict(run)
    except NoRoom as error:
        raise error.as_error() from None


def _verdict(run: Run) -> Verdict:
    evidence, checks = checked(run)
    outcome = worst([c.verdict for c in checks])
    declared = run.scenario.expect
    expectation = declared if isinstance(declared, str) else list(declared)
    met = meets(expectation, checks)
    return Verdict(
        scenario=run.scenario.name,
        title=run.scenario.title,
        run_id=run.folder.run_id,
        backend=_or_none(lambda: run.manifest.backend) or "unknown",
        seed=run.scenario.workload.seed,
        verdict=outcome,
        expectation=expectation,
        met=met,
        exit_code=0 if met else EXIT[outcome],
        counts=_or_none(lambda: _counts(evidence, checks)),
        recovery=_or_none(lambda: _recovery(evidence)) or [],
        ack_gaps=_or_none(lambda: _ack_gaps(evidence)) or [],
        service=_or_none(lambda: service(evidence, lost(checks))),
        latency=_or_none(lambda: _latency(evidence)),
        stored_per_s=_or_none(lambda: _stored_per_s(evidence)),
        limit=_or_none(lambda: evidence.limit),
        exposure=_or_none(lambda: _exposure(evidence)),
        alerting=_or_none(lambda: alerting(evidence)),
        explanations=explanations(evidence, checks),
        life=_or_none(lambda: life_of_witness(evidence, checks)),
        asked=sum(check.asked for check in checks),
        checks=checks,
    )


@with_cheap_text
def checked(run: Run, *names: str) -> tuple[Evidence, list[Check]]:
    """The checks of these names, or all, and what they looked at: a verdict without all that is costly beside them."""
    return run_checks(run, _MODULES, names)


def _or_none(measure: Callable[[], T]) -> T | None:
    """A number that the evidence does not yield is None: the checks, made on the same evidence, say why."""
    try:
        return measure()
    except Exception:
        return None


def _counts(e: Evidence, checks: list[Check]) -> Counts:
    count = {c.name: c.answer for c in checks}
    by_outcome = sum((np.bincount(e.outcome[part], minlength=6) for part in chunks(e.size)), np.zeros(6, int))
    missed = sum(int(c.text("outcome").are(NOT_OFFERED).sum()) for c in e.run.chunks("sends", "outcome"))
    due, stored = e.run.row_count("sends"), e.count(lambda k: k.stored)
    offered = due - missed
    counts_due = e.run.manifest.schema_version >= COUNTS_DUE
    return Counts(
        due=due if counts_due else None,
        not_offered=missed if counts_due else None,
        offered=offered,
        shed=int(by_outcome[SHED]),
        failed=int(by_outcome[FAIL]),
        acked=int(by_outcome[OK]),
        unknown=int(by_outcome[UNKNOWN]),
        unknown_found=e.count(lambda k: (k.outcome == UNKNOWN) & k.in_log),
        stored=stored,
        unstored=offered - stored,
        duplicates=len(again(e.log.key, e.log_row)) + len(again(e.rows.key, e.rows.first)),
        reordered=count["reordered_in_log"],
        dead_letters=e.run.row_count("dead_letters"),
        alerts=len(processors.alerts_of(e, "table")["alert"].unique()),
        **{name: count[name] for name in ("lost_in_log", "lost_in_pipeline", "expired", "not_drained")},
    )


def _seen_span(seconds: float, censored: bool) -> Span | None:
    """None where it was not observed (NaN)."""
    return None if isnan(seconds) else Span.of(seconds, censored)


def _recovery(e: Evidence) -> list[Recovery]:
    windows = e.fault_windows
    found = []
    for row, window in zip(each(e.recovery), each(windows), strict=True):
        until = e.service.sending_ends_ns
        gaps = {p: e.service.ack_gap(p, window.injected_ns, until) for p in e.service.partitions}
        found.append(
            Recovery(
                fault=row.fault,
                kind=row.kind,
                target=row.target,
                node=row.node,
                held_s=round(row.held_s, 3),
                detection=_seen_span(row.detection_s, row.detection_censored),
                recovery=Span.of(row.recovery_s, row.recovery_censored),
                catch_up=_seen_span(row.catch_up_s, row.catch_up_censored),
                ack_gaps=[PartitionGap(p, Span.of(g.seconds, g.censored)) for p, g in gaps.items()],
            )
        )
    return found


def _ack_gaps(e: Evidence) -> list[PartitionGap]:
    return [PartitionGap(int(g.partition), Span.of(g.gap_s, g.censored)) for g in each(e.ack_gaps)]


def _latency(e: Evidence) -> Latency | None:
    seconds = e.latency["latency_s"]
    if not len(seconds):
        return None
    p50, p99, top = (round(q, 4) for q in quantiles(seconds, [0.5, 0.99, 1]))
    return Latency(n=len(seconds), p50_s=p50, p99_s=p99, max_s=top, parts=e.latency_parts)


def _stored_per_s(e: Evidence) -> float | None:
    """Readings stored per second from the steady state to the end of the sends; None where no journal tells."""
    phases = e.run.phases
    if not {"steady", "recover"} <= phases.keys() or not e.run.scenario.owns_partitions:
        return None
    commits = e.run.commits[~e.run.commits["refused"]]
    rows = commits.loc[commits["t_ns"].between(phases["steady"], phases["recover"]), "rows"].sum()
    return round(float(rows) / ((phases["recover"] - phases["steady"]) / NS), 1)


def _exposure(e: Evidence) -> Exposure:
    """The worst moment; leader −1 where there was none.

    Raises:
        LabError: nothing was acknowledged at all, or the probe was blind, so that there may have been one.
    """
    if e.acks == "0":
        raise LabError("under acks=0 nothing is acknowledged")
    frame = exposure(e.run, e)
    if frame.empty:
        raise ValueError("the probe saw no leader")
    at, until_ns = worst_moment(by_leader(frame)), e.service.sending_ends_ns
    unseen_s = sum(b - a for a, b in unled(e.run, e.run.t0_ns, until_ns)) / NS
    if at is None and unseen_s:
        raise LabError(f"for {unseen_s:.1f} s no broker was heard")
    if at is None:
        return Exposure(t_s=0.0, leader=-1, low=0, high=0, alone=False)
    then = frame[(frame["t_s"] == at["t_s"]) & (frame["leader"] == at["leader"])]
    alone = bool(then.loc[then["high"].idxmax(), "alone"])
    return Exposure(
        t_s=round(float(at["t_s"]), 3),
        leader=int(at["leader"]),
        low=int(at["low"]),
        high=int(at["high"]),
        alone=alone,
        unseen_s=round(unseen_s, 3),
    )
