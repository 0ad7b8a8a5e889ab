"""What others did to the cluster, as far as it can be seen from outside, and which outage it explains.

Everything here is sampled: a change came to be between the last look that saw the former state and the first that saw
the new one. An event belongs to an outage of its partitions if it can have come to be during it, given that error and
the error of the outage's own start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from factorylab.analysis.causes import ISR_WAITS, NO_LEADER, PRODUCER, UNKNOWN
from factorylab.core.clock import NS
from factorylab.operations.observe.availability import Outage

EventKind = Literal[
    "leader", "ISR shrunk", "ISR expanded", "broker gone", "broker silent", "broker back", "group", "kubernetes"
]
AWAY = ("broker gone", "broker silent")


class Event(msgspec.Struct, frozen=True):
    """Something happened between `after_ns` and `seen_ns`, on the monotonic clock.

    `led` are the partitions that it took the leader from, `partitions` all that it concerns; None: every one.
    """

    kind: EventKind
    who: str
    detail: str
    after_ns: int
    seen_ns: int
    partitions: tuple[int, ...] | None = None
    led: tuple[int, ...] = ()

    @property
    def error_s(self) -> float:
        """How much earlier than it was seen it may have come to be."""
        return (self.seen_ns - self.after_ns) / NS

    def words(self) -> str:
        """For an outage that it explains."""
        return f"{self.who}: {self.detail}"


def explains(event: Event, outage: Outage, now_ns: int) -> bool:
    """Can the event have come to be during the outage, and does it concern its partition?"""
    concerns = event.partitions is None or outage.partition in event.partitions
    end_ns = now_ns if outage.end_ns is None else outage.end_ns
    return concerns and event.after_ns <= end_ns and event.seen_ns >= outage.earliest_start_ns


def cause_of(outage: Outage, events: Iterable[Event]) -> str:
    """The cause, in the words of `analysis.causes`, by the `events` that may explain the outage."""
    found = [event for event in events if event.kind not in {"group", "broker back", "ISR expanded"}]
    if any(outage.partition in event.led for event in found):
        return NO_LEADER
    if any(event.kind in AWAY or event.kind == "ISR shrunk" for event in found):
        return ISR_WAITS
    if any(event.kind == "leader" for event in found):
        return PRODUCER
    return found[0].kind if found else UNKNOWN
