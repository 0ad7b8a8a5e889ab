"""The moments of an observation for its live page, made in the observer's own turn: nothing here waits for anybody."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from factorylab.core.clock import NS
from factorylab.execution.probe_questions import Answer
from factorylab.operations.answer_age import fresh
from factorylab.operations.observe.account import EVENTS_MAX, Account
from factorylab.operations.observe.availability import SERVICES, Outage
from factorylab.operations.observe.cluster_view import ClusterLook
from factorylab.operations.observe.door import DoorAnswer
from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.own_time import Unobserved
from factorylab.operations.observe.shown import (
    BrokerShown,
    EventMark,
    LatencyShown,
    ObservedMoment,
    OutageShown,
    PartitionShown,
    ServiceShown,
    Status,
    UnseenShown,
)
from factorylab.operations.observe.summarize import budget_of, levels_of, verdict_of
from factorylab.operations.observe.summary import Plan, ServiceLevel

AGAIN_S = 10.0  # so long after its end an outage is told again: its cause may be found, and a moment be left out


class Seen(Protocol):
    """What is known of the cluster; a `Watch` is one."""

    def look(self) -> Answer[ClusterLook] | None: ...

    def doors(self) -> Mapping[int, Answer[DoorAnswer] | None]: ...

    def group(self) -> str: ...

    def group_asked_ns(self) -> int | None: ...


class Moments:
    """`of` makes the present moment; an event that was `told` goes with each until one is `taken`."""

    def __init__(self, account: Account, plan: Plan, watch: Seen) -> None:
        self._account, self._plan, self._watch = account, plan, watch
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)

    def told(self, event: Event) -> None:
        self._events.append(event)

    def taken(self) -> None:
        """The latest moment will be shown."""
        self._events.clear()

    def of(self, now_ns: int, status: Status) -> ObservedMoment:
        account, plan = self._account, self._plan
        observed_s, elapsed_s = account.own.observed_s(now_ns), (now_ns - account.start.mono_ns) / NS
        levels, counts = [one for name in SERVICES for one in levels_of(account, name, now_ns)], account.counts()
        whole = [level for level in levels if level.partition is None]
        verdict, because = verdict_of(counts, levels, plan, observed_s, elapsed_s)
        return ObservedMoment(
            at_s=self._s(now_ns),
            status=status,
            subject=f"{plan.topic} on {plan.cluster}, {plan.rate_hz:g} canaries/s in each partition",
            verdict=verdict,
            because=because,
            elapsed_s=elapsed_s,
            observed_s=observed_s,
            services=list(self._services(levels, now_ns)),
            partitions=list(self._partitions(now_ns)),
            outages=[self._outage(one, now_ns) for one in account.outages(now_ns) if _late(one.end_ns, now_ns)],
            unseen=[self._unseen(one) for one in account.own.intervals if _late(one.end_ns, now_ns)],
            brokers=list(self._brokers(now_ns)),
            levels=whole,
            budgets=[budget_of(level, plan, observed_s) for level in whole],
            latencies=list(self._latencies(now_ns)),
            canaries=counts,
            group=self._watch.group(),
            ages_s=self._ages_s(now_ns),
            marks=[EventMark(self._s(one.seen_ns), one.kind, one.words(), one.error_s) for one in self._events],
        )

    def _s(self, mono_ns: int) -> float:
        start = self._account.start
        return (start.wall_ns + mono_ns - start.mono_ns) / NS

    def _services(self, levels: list[ServiceLevel], now_ns: int) -> Iterator[ServiceShown]:
        for level in levels:
            if level.partition is not None:
                until_ns = self._account.served_until_ns(level.service, level.partition, now_ns)
                yield ServiceShown(
                    level.service, level.partition, self._s(until_ns), level.available, level.outages, level.out_s
                )

    def _partitions(self, now_ns: int) -> Iterator[PartitionShown]:
        answer = self._watch.look()
        views = {view.partition: view for view in answer.value.partitions} if answer else {}
        known = fresh(_age_s(answer, now_ns))
        for number in self._account.ledgers:
            view = views.get(number) if known else None
            yield PartitionShown(number, view.leader if view else None, sorted(view.isr) if view else None)

    def _brokers(self, now_ns: int) -> Iterator[BrokerShown]:
        for number, answer in sorted(self._watch.doors().items()):
            known = answer is not None and fresh(_age_s(answer, now_ns))
            yield BrokerShown(f"broker {number}", answer.value if answer and known else "unknown")

    def _outage(self, one: Outage, now_ns: int) -> OutageShown:
        return OutageShown(
            service=one.service,
            partition=one.partition,
            start_s=self._s(one.start_ns),
            start_error_s=(one.start_ns - one.earliest_start_ns) / NS,
            end_s=None if one.end_ns is None else self._s(one.end_ns),
            ends_seen=one.ends_seen,
            lasted_s=one.lasted_s(now_ns),
            cause=one.cause,
        )

    def _unseen(self, one: Unobserved) -> UnseenShown:
        return UnseenShown(self._s(one.start_ns), self._s(one.end_ns), one.why)

    def _latencies(self, now_ns: int) -> Iterator[LatencyShown]:
        for name in SERVICES:
            sketch = self._account.recent[name].since(now_ns / NS)
            yield LatencyShown(name, sketch.quantile(0.5), sketch.quantile(0.99))

    def _ages_s(self, now_ns: int) -> dict[str, float | None]:
        found = {"leaders": _age_s(self._watch.look(), now_ns)}
        if self._plan.group:
            asked_ns = self._watch.group_asked_ns()
            found["group"] = None if asked_ns is None else (now_ns - asked_ns) / NS
        return found


def _age_s(answer: Answer[Any] | None, now_ns: int) -> float | None:
    return None if answer is None else (now_ns - answer.asked_ns) / NS


def _late(end_ns: int | None, now_ns: int) -> bool:
    """Does it go on, or has it ended lately?"""
    return end_ns is None or now_ns - end_ns <= AGAIN_S * NS
