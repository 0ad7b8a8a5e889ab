"""For how long partitions stood still, in sentences, and what else held stores up."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from factorylab import analysis
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Span
from factorylab.audit.model.stall import Service
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED, Verdict
from factorylab.history.saved_run import each

MEANWHILE = "while acknowledgements went on"


def stood_still(verdict: Verdict) -> Iterator[str]:
    """Sentences on the stalls of a run, those before the first fault apart."""
    service = verdict.service
    if service is None:
        yield f"How long partitions stood still: {NOT_RECORDED}."
        return
    if verdict.recovery:
        yield from _since_the_fault(service)
    mine = [stall.lasted for stall in service.stalls if stall.fault < 0]
    when = "Before the first fault" if verdict.recovery else "Although nothing was broken,"
    if mine:
        longest = max(span.seconds for span in mine)
        yield f"{when} partitions stood still for up to {longest:.1f} s (stalls: {len(mine)})."
    elif not verdict.recovery:
        yield "No partition stood still."


def _since_the_fault(service: Service) -> Iterator[str]:
    acks = _still([s.acks for s in service.sums], service, "acks")
    stores = _still([s.stores for s in service.sums], service, "stores")
    if not acks and not stores:
        yield "Every partition acknowledged and stored without a stall."
        return
    told = (
        (f"nothing acknowledged for {acks}" if acks else "acknowledged without a stall"),
        (f"nothing stored for {stores}" if stores else "stored without a stall"),
    )
    text = "; ".join(told)
    yield f"{text[0].upper()}{text[1:]}."
    if service.unowned_s:
        because = f", because {service.unowned_because}" if service.unowned_because else ""
        yield f"A partition had no owner for {service.unowned_s:.1f} s {MEANWHILE}{because}."
    if service.away_s:
        yield f"The store was away for {service.away_s:.1f} s {MEANWHILE}."


def _still(spans: list[Span], service: Service, kind: str) -> str:
    """How long, and on how many partitions; empty where none did. Of several stalls of a partition the sum counts."""
    hit = [span for span in spans if span.seconds]
    if not hit:
        return ""
    ends = sorted(hit, key=lambda span: (span.censored, span.seconds))
    first, last = str(ends[0]), str(ends[-1])
    length = last if first == last else f"{first.removesuffix(' s')}–{last}"
    places = [stall.partition for stall in service.stalls if stall.fault >= 0 and stall.service == kind]
    in_all = " in all" if len(places) > len(set(places)) else ""
    never = sum(span.censored for span in hit)
    still = f", on {never} of them not again while it was watched" if never else ""
    return f"{length}{in_all} on {len(hit)} of {service.partitions} partitions{still}"


def of_the_clients(run: JudgedRun) -> Iterator[str]:
    """Of a run with faults whose processors own partitions: rebalances until the drain began, and, where the database
    was the victim, the longest call to it that failed."""
    begun = [window.injected_ns for window in each(analysis.fault_windows(run))]
    if not begun or not run.scenario.owns_partitions or run.missing():
        return
    drain_ns = run.phases.get("drain", run.last_ns)
    moved = analysis.rebalances(run)["start_s"].between(*run.seconds(pd.Series([min(begun), drain_ns])))
    yield f"Rebalances of the group meanwhile: {int(moved.sum())}."
    if any(fault.target == "database" for fault in run.scenario.faults):
        calls = analysis.outages(run)["longest_call_s"]
        longest = f"{calls.max():.1f} s" if len(calls) and calls.notna().all() else NOT_OBSERVED
        yield f"Longest call to the store that failed: {longest if len(calls) else 'none failed'}."
