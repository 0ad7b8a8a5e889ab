"""What the live page shows of one moment of an observation.

Times are seconds since 1970 by the wall clock as it was set when the observation began, so that they only grow. None is
what is not known; it is never drawn as 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from factorylab.operations.observe.availability import ServiceName
from factorylab.operations.observe.foreign import EventKind
from factorylab.operations.observe.ledger import Counts
from factorylab.operations.observe.summary import Budget, ServiceLevel, Verdict

Status = Literal["observing", "ended"]
BrokerStatus = Literal["answers", "silent", "refused", "unknown"]


class ServiceShown(msgspec.Struct, frozen=True):
    """A service of a partition. Up to `known_until_s` it was there, or `outages` say otherwise; what waits since then
    is not judged yet. `available` and `out_s` are of the whole observation, `available` None where none was observed.
    """

    service: ServiceName
    partition: int
    known_until_s: float
    available: float | None
    outages: int
    out_s: float


class PartitionShown(msgspec.Struct, frozen=True):
    """`leader` is −1 where there is none; both are None where nobody says so lately."""

    partition: int
    leader: int | None
    isr: list[int] | None


class OutageShown(msgspec.Struct, frozen=True):
    """A time without service. It may have begun `start_error_s` earlier; `end_s` is None while it goes on, and a lower
    bound unless `ends_seen`."""

    service: ServiceName
    partition: int
    start_s: float
    start_error_s: float
    end_s: float | None
    ends_seen: bool
    lasted_s: float
    cause: str


class UnseenShown(msgspec.Struct, frozen=True):
    """A time that the observer did not see, for a reason of its own: it says nothing of the cluster."""

    start_s: float
    end_s: float
    why: str


class BrokerShown(msgspec.Struct, frozen=True):
    """What became of the latest first request to a broker."""

    name: str
    status: BrokerStatus


class LatencyShown(msgspec.Struct, frozen=True):
    """Of the canaries that were complete in the last 10 s (s, within 1 %); None where there was none."""

    service: ServiceName
    p50_s: float | None
    p99_s: float | None


class EventMark(msgspec.Struct, frozen=True):
    """An event, when it was seen; it may have come to be `error_s` before that."""

    at_s: float
    kind: EventKind
    text: str
    error_s: float


class ObservedMoment(msgspec.Struct, frozen=True):
    """`outages` are those that go on or ended in the last 10 s, `unseen` likewise, `marks` are new. `levels` are of all
    partitions together. `ages_s` says how old the latest answer to each question is (None: no answer yet)."""

    at_s: float
    status: Status
    subject: str
    verdict: Verdict
    because: list[str]
    elapsed_s: float
    observed_s: float
    services: list[ServiceShown]
    partitions: list[PartitionShown]
    outages: list[OutageShown]
    unseen: list[UnseenShown]
    brokers: list[BrokerShown]
    levels: list[ServiceLevel]
    budgets: list[Budget]
    latencies: list[LatencyShown]
    canaries: Counts
    group: str
    ages_s: dict[str, float | None]
    marks: list[EventMark]


QUESTIONS = {
    "leaders": "brokers, leaders and replicas (no broker answers)",
    "group": "the group and its members (its coordinator does not answer)",
}
"""What is not known while a question is not answered, and who does not answer it."""
