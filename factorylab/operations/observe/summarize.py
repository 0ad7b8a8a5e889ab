"""The summary of an account, at its end or at any moment."""

from __future__ import annotations

from datetime import UTC, datetime

from factorylab.core.clock import NS
from factorylab.operations.observe.account import Account
from factorylab.operations.observe.availability import SERVICES, Outage, ServiceName
from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.latency import LatencySketch
from factorylab.operations.observe.ledger import Counts
from factorylab.operations.observe.summary import (
    Budget,
    EventSeen,
    Latency,
    NotObserved,
    OutageSeen,
    Plan,
    ServiceLevel,
    Summary,
    Verdict,
)

ENOUGH = 0.5  # of the time; who saw less cannot say that all was well
SHOWN = 200  # the latest of a kind; `told.jsonl` has all
HARMS = ("lost", "doubled", "reordered")


def summarize(account: Account, plan: Plan, now_ns: int, group: str = "") -> Summary:
    """The account as it stands now. `group`: what is known of the group that is watched."""
    own = account.own
    observed_s, elapsed_s = own.observed_s(now_ns), (now_ns - account.start.mono_ns) / NS
    levels = [level for name in SERVICES for level in levels_of(account, name, now_ns)]
    budgets = [budget_of(level, plan, observed_s) for level in levels if level.partition is None]
    counts = account.counts()
    verdict, because = verdict_of(counts, levels, plan, observed_s, elapsed_s)
    return Summary(
        verdict=verdict,
        because=because,
        plan=plan,
        started=iso(own.wall_ns(account.start.mono_ns)),
        until=iso(own.wall_ns(now_ns)),
        elapsed_s=elapsed_s,
        observed_s=observed_s,
        levels=levels,
        budgets=budgets,
        latencies=[_latency(name, account.latency[name]) for name in SERVICES],
        canaries=counts,
        group=group,
        outages=[_outage(account, one, now_ns) for one in account.outages(now_ns)[-SHOWN:]],
        events=[_event(account, one) for one in list(account.events)[-SHOWN:]],
        not_observed=[
            NotObserved(iso(own.wall_ns(one.start_ns)), iso(own.wall_ns(one.end_ns)), one.why)
            for one in list(own.intervals)[-SHOWN:]
        ],
        harmed=list(account.harm),
    )


def iso(wall_ns: int) -> str:
    """A moment of the wall clock, UTC, to the millisecond."""
    return datetime.fromtimestamp(wall_ns / NS, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def levels_of(account: Account, name: ServiceName, now_ns: int) -> list[ServiceLevel]:
    """Each partition, then all of them."""
    observed_s, rows = account.own.observed_s(now_ns), list[ServiceLevel]()
    for partition in account.ledgers:
        out_s, count = account.out_s(name, partition, now_ns), account.out_count(name, partition, now_ns)
        rows.append(ServiceLevel(name, partition, count, out_s, _share(out_s, observed_s)))
    out_s, whole_s = sum(row.out_s for row in rows), observed_s * len(rows)
    return [*rows, ServiceLevel(name, None, sum(row.outages for row in rows), out_s, _share(out_s, whole_s))]


def _share(out_s: float, of_s: float) -> float | None:
    return max(1 - out_s / of_s, 0.0) if of_s > 0 else None


def budget_of(level: ServiceLevel, plan: Plan, observed_s: float) -> Budget:
    """Of a service over all partitions."""
    return Budget(level.service, (1 - plan.objective) * observed_s * plan.partitions, level.out_s)


def verdict_of(
    counts: Counts, levels: list[ServiceLevel], plan: Plan, observed_s: float, elapsed_s: float
) -> tuple[Verdict, list[str]]:
    """What is proven comes first: time that was not observed cannot undo it."""
    because = [f"{count:,} canaries {what}" for what in HARMS if (count := getattr(counts, what))]
    because += [
        f"{level.service} was available {level.available:.4%}, the objective is {plan.objective:.4%}"
        for level in levels
        if level.partition is None and level.available is not None and level.available < plan.objective
    ]
    if because:
        return "FAIL", because
    if not counts.acknowledged or not counts.read:
        return "INVALID", ["no canary was acknowledged and read: nothing was observed"]
    if observed_s < ENOUGH * elapsed_s:
        return "INVALID", [f"only {observed_s:.1f} of {elapsed_s:.1f} s were observed"]
    return "PASS", ["nothing acknowledged was lost, doubled or reordered, and the objective was met"]


def _latency(name: ServiceName, sketch: LatencySketch) -> Latency:
    return Latency(name, sketch.count, sketch.quantile(0.5), sketch.quantile(0.99), sketch.max_s)


def _outage(account: Account, one: Outage, now_ns: int) -> OutageSeen:
    return OutageSeen(
        service=one.service,
        partition=one.partition,
        start=iso(account.own.wall_ns(one.start_ns)),
        end=None if one.end_ns is None else iso(account.own.wall_ns(one.end_ns)),
        lasted_s=one.lasted_s(now_ns),
        start_error_s=(one.start_ns - one.earliest_start_ns) / NS,
        starts_seen=one.starts_seen,
        ends_seen=one.ends_seen,
        unseen_s=one.unseen_s,
        cause=one.cause,
        events=one.events,
    )


def _event(account: Account, one: Event) -> EventSeen:
    return EventSeen(one.kind, one.who, one.detail, iso(account.own.wall_ns(one.seen_ns)), one.error_s)
