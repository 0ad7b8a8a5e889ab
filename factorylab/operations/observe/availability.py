"""When a service of a partition was out, by the audit's rule of what a stall is (`analysis.silence`).

Produce is served by an acknowledgement, consume by a canary that is read. An outage begins at the send of the first
canary that then waits, and ends with the next service. It is only what was observed: time at its beginning or end that
was not observed is no part of it, and such time in between does not count.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from factorylab.analysis.silence import STALL_S
from factorylab.core.clock import NS
from factorylab.operations.observe.own_time import OwnTime

SENT_MAX = 1_000  # sends that are remembered while nothing is served
ServiceName = Literal["produce", "consume"]
SERVICES: tuple[ServiceName, ...] = ("produce", "consume")


class Outage(msgspec.Struct):
    """A time without service, on the monotonic clock.

    It began between `earliest_start_ns`, the send of the last canary that was served, and `start_ns`. `end_ns` is None
    while it goes on. `starts_seen`, `ends_seen`: false where the observer did not look before, or after. `unseen_s`
    of it were not observed.
    """

    partition: int
    service: ServiceName
    earliest_start_ns: int
    start_ns: int
    end_ns: int | None
    starts_seen: bool = True
    ends_seen: bool = True
    unseen_s: float = 0.0
    cause: str = ""
    events: list[str] = []

    def lasted_s(self, now_ns: int) -> float:
        """How long it was observed to last, so far."""
        return ((now_ns if self.end_ns is None else self.end_ns) - self.start_ns) / NS - self.unseen_s


class Service:
    """One service of one partition."""

    def __init__(self, partition: int, name: ServiceName, own: OwnTime) -> None:
        self._partition, self.name, self._own = partition, name, own
        self._waiting_ns: int | None = None
        self._sent: deque[tuple[int, int]] = deque(maxlen=SENT_MAX)  # (seq, when) of those not served
        self._served_sent_ns: int | None = None
        self._last, self._best = -1, -1  # the last canary that was offered, and that was served

    def offered(self, seq: int, sent_ns: int) -> None:
        """A canary was sent: from now on the service is wanted."""
        self._last = seq
        self._sent.append((seq, sent_ns))
        if self._waiting_ns is None:
            self._waiting_ns = sent_ns

    def served(self, seq: int, t_ns: int) -> Outage | None:
        """Canary `seq` was served. Gives the outage that ends here, if there was one."""
        since, earliest = self._waiting_ns, self._served_sent_ns
        while self._sent and self._sent[0][0] <= seq:
            self._served_sent_ns = self._sent.popleft()[1]
        self._best = max(self._best, seq)
        self._waiting_ns = t_ns if self._last > self._best else None
        return None if since is None else self._outage(since, t_ns, earliest, open_=False)

    def waiting_since_ns(self, now_ns: int) -> int:
        """Since when a canary waits; now where none does."""
        return now_ns if self._waiting_ns is None else self._waiting_ns

    def open(self, now_ns: int) -> Outage | None:
        """The outage that goes on, if there is one."""
        if self._waiting_ns is None:
            return None
        return self._outage(self._waiting_ns, now_ns, self._served_sent_ns, open_=True)

    def _outage(self, since_ns: int, t_ns: int, earliest_ns: int | None, *, open_: bool) -> Outage | None:
        if t_ns - since_ns <= STALL_S * NS:
            return None
        seen = self._own.seen(since_ns, t_ns)
        seen_ns = sum(end - start for start, end in seen)
        if seen_ns <= STALL_S * NS:
            return None
        (start, _), (_, end) = seen[0], seen[-1]
        return Outage(
            partition=self._partition,
            service=self.name,
            earliest_start_ns=start if earliest_ns is None or start > since_ns else min(start, earliest_ns),
            start_ns=start,
            end_ns=None if open_ and end == t_ns else end,
            starts_seen=start == since_ns,
            ends_seen=end == t_ns,
            unseen_s=(end - start - seen_ns) / NS,
        )
