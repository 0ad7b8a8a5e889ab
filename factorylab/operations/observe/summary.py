"""What an observation says, as data: the verdict, and all numbers that it rests on."""

from __future__ import annotations

from typing import Literal

import msgspec

from factorylab.operations.observe.availability import ServiceName
from factorylab.operations.observe.latency import ERROR
from factorylab.operations.observe.ledger import Counts, Harm

Verdict = Literal["PASS", "FAIL", "INVALID"]


class Plan(msgspec.Struct, frozen=True):
    """What was to be observed, and how."""

    cluster: str
    topic: str
    partitions: int
    rate_hz: float
    objective: float
    for_s: float | None = None
    group: str = ""


class ServiceLevel(msgspec.Struct, frozen=True):
    """A service of one partition, or of all (`partition` None): its outages, and how long they lasted (s, summed over
    the partitions). `available` is its share of the observed time, None where none was observed."""

    service: ServiceName
    partition: int | None
    outages: int
    out_s: float
    available: float | None


class Budget(msgspec.Struct, frozen=True):
    """How long a service may be out, over all partitions, in the time that was observed, and how long it was (s)."""

    service: ServiceName
    allowed_s: float
    used_s: float


class Latency(msgspec.Struct, frozen=True):
    """From the intended moment of a canary to its acknowledgement, or until it was read (s)."""

    service: ServiceName
    count: int
    p50_s: float | None
    p99_s: float | None
    max_s: float
    error: float = ERROR


class OutageSeen(msgspec.Struct, frozen=True):
    """An outage on the wall clock. `start_error_s`: it may have begun so much earlier. `end` is None while it goes on.
    `starts_seen`, `ends_seen`: false where the observer did not look before, or after; `unseen_s`: nor in between."""

    service: ServiceName
    partition: int
    start: str
    end: str | None
    lasted_s: float
    start_error_s: float
    starts_seen: bool
    ends_seen: bool
    unseen_s: float
    cause: str
    events: list[str]


class EventSeen(msgspec.Struct, frozen=True):
    """An event on the wall clock. `error_s`: it may have come to be that much before it was seen."""

    kind: str
    who: str
    detail: str
    seen: str
    error_s: float


class NotObserved(msgspec.Struct, frozen=True):
    """A time that says nothing of the cluster."""

    start: str
    end: str
    why: str


class Summary(msgspec.Struct, frozen=True):
    """The report as data."""

    verdict: Verdict
    because: list[str]
    plan: Plan
    started: str
    until: str
    elapsed_s: float
    observed_s: float
    levels: list[ServiceLevel]
    budgets: list[Budget]
    latencies: list[Latency]
    canaries: Counts
    group: str
    outages: list[OutageSeen]
    events: list[EventSeen]
    not_observed: list[NotObserved]
    harmed: list[Harm]
