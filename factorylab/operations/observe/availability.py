"""When a service of a partition was out, by the audit's rule of what a stall is (`analysis.silence`).

Produce is served by an acknowledgement, consume by a canary that is read. An outage begins at the send of the first
canary that then waits, and ends with the next service. What the observer did not see of it is cut out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from factorylab.analysis.silence import STALL_S
from factorylab.core.clock import NS
from factorylab.operations.observe.own_time import OwnTime, Span

SENT_MAX = 1_000  # sends that are remembered while nothing is served
ServiceName = Literal["produce", "consume"]
SERVICES: tuple[ServiceName, ...] = ("produce", "consume")


class Outage(msgspec.Struct):
    """A time without service, on the monotonic clock.

    It began between `earliest_start_ns`, the send of the last canary that was served, and `start_ns`. `end_ns` is None
    while it goes on. `starts_seen`, `ends_seen`: false where the observer did not look before, or after.
    """

    partition: int
    service: ServiceName
    earliest_start_ns: int
    start_ns: int
    end_ns: int | None
    starts_seen: bool = True
    ends_seen: bool = True
    cause: str = ""
    events: list[str] = []

    def lasted_s(self, now_ns: int) -> float:
        """How long it lasted, or has lasted so far."""
        return ((now_ns if self.end_ns is None else self.end_ns) - self.start_ns) / NS


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

    def served(self, seq: int, t_ns: int) -> list[Outage]:
        """Canary `seq` was served. Gives the outage that ends here, in the parts that were observed."""
        since, earliest = self._waiting_ns, self._served_sent_ns
        while self._sent and self._sent[0][0] <= seq:
            self._served_sent_ns = self._sent.popleft()[1]
        self._best = max(self._best, seq)
        self._waiting_ns = t_ns if self._last > self._best else None
        return [] if since is None else self._outages(since, t_ns, earliest, open_=False)

    def open(self, now_ns: int) -> list[Outage]:
        """The outage that goes on, in the parts that were observed."""
        if self._waiting_ns is None or now_ns - self._waiting_ns <= STALL_S * NS:
            return []
        return self._outages(self._waiting_ns, now_ns, self._served_sent_ns, open_=True)

    def _outages(self, since_ns: int, t_ns: int, earliest_ns: int | None, *, open_: bool) -> list[Outage]:
        if t_ns - since_ns <= STALL_S * NS:
            return []
        parts: Sequence[Span] = [
            (start, end) for start, end in self._own.seen(since_ns, t_ns) if end - start > STALL_S * NS
        ]
        return [
            Outage(
                partition=self._partition,
                service=self.name,
                earliest_start_ns=min(start, start if earliest_ns is None or start > since_ns else earliest_ns),
                start_ns=start,
                end_ns=None if open_ and end == t_ns else end,
                starts_seen=start == since_ns,
                ends_seen=end == t_ns,
            )
            for start, end in parts
        ]
