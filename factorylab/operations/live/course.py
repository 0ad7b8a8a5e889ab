"""The course of one factory as it was watched: how far log and store were when, and what follows from that."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from factorylab.operations.answer_age import fresh
from factorylab.operations.live.moments import Lag, PartitionShown

KEPT_S = 900.0
PACE_S = 5.0  # a trend over so long, and a rate: shorter ones jump from batch to batch
RATE_S = 3.0
KEEPS_UP_S = 1.0  # batches alone make a lag of this order
STEADY_PER_S = 1.0  # a lag that changes by less than this does not drain


@dataclass
class Counted:
    """A number that only grows, as it was told; no two entries at the same time, none older than KEPT_S."""

    times_s: deque[float] = field(default_factory=deque)
    counts: deque[int] = field(default_factory=deque)

    def tell(self, at_s: float, count: int) -> None:
        """Note an answer, unless it is one that is known. One that is smaller begins anew: what counts began again."""
        if self.times_s and at_s <= self.times_s[-1]:
            return
        if self.counts and count < self.counts[-1]:
            self.times_s.clear()
            self.counts.clear()
        self.times_s.append(at_s)
        self.counts.append(count)
        while self.times_s[0] < at_s - KEPT_S:
            self.times_s.popleft()
            self.counts.popleft()

    def rate_per_s(self, at_s: float, over_s: float) -> float | None:
        """Per second over about the last `over_s` seconds that were told; None before there were two answers, and when
        the latest is of long before `at_s`."""
        if len(self.times_s) < 2 or not fresh(at_s - self.times_s[-1]):
            return None
        first = bisect_left(self.times_s, self.times_s[-1] - over_s)
        first = min(first, len(self.times_s) - 2)
        passed_s = self.times_s[-1] - self.times_s[first]
        return (self.counts[-1] - self.counts[first]) / passed_s

    def when(self, count: int) -> tuple[float, bool] | None:
        """When this count was passed, in proportion between the two answers around it. True where that was before
        all that is known; then the time is that of the first answer. None without an answer."""
        if not self.counts or count > self.counts[-1]:
            return None
        after = bisect_left(self.counts, count)
        if after == 0:
            return self.times_s[0], count < self.counts[0]
        (low, high), (since_s, until_s) = _pair(self.counts, after), _pair(self.times_s, after)
        return since_s + (until_s - since_s) * (count - low) / (high - low), False

    def moved_s(self) -> float | None:
        """When it was last seen to have grown; None where it never did."""
        first = bisect_left(self.counts, self.counts[-1]) if self.counts else 0
        return self.times_s[first] if first else None


def _pair(values: deque[float] | deque[int], after: int) -> tuple[float, float]:
    before, behind = islice(values, after - 1, after + 1)
    return before, behind


@dataclass
class Course:
    """`ends` of the log and `stored` positions by partition, `lags` of all together; times are seconds of one clock."""

    ends: dict[int, Counted] = field(default_factory=dict)
    stored: dict[int, Counted] = field(default_factory=dict)
    lags: deque[tuple[float, int]] = field(default_factory=deque)

    def lag_s(self, partition: int, at_s: float) -> tuple[float, bool] | None:
        """How long ago the log had as many records as are stored (`at_s` is now), and whether it may be longer."""
        ends, stored = self.ends.get(partition), self.stored.get(partition)
        if not ends or not stored or not stored.counts:
            return None
        if ends.counts and stored.counts[-1] >= ends.counts[-1]:
            return 0.0, False
        passed = ends.when(stored.counts[-1])
        return (max(0.0, at_s - passed[0]), passed[1]) if passed else None

    def lag(self, at_s: float, partitions: list[PartitionShown]) -> Lag:
        """Of all partitions together; it is not known while that of one is not."""
        records = [one.lag_records for one in partitions if one.lag_records is not None]
        if not partitions or len(records) < len(partitions):
            self.lags.clear()  # a trend across a gap would be none
            return Lag()
        total = sum(records)
        self.lags.append((at_s, total))
        while self.lags[0][0] < at_s - PACE_S:
            self.lags.popleft()
        trend = self._trend_per_s()
        known = [(one.lag_s, one.at_least) for one in partitions if one.lag_s is not None]
        seconds, at_least = max(known, default=(None, False)) if len(known) == len(partitions) else (None, False)
        behind = seconds is None or seconds > KEEPS_UP_S
        drains = behind and total > 0 and trend is not None and trend < -STEADY_PER_S
        return Lag(total, seconds, at_least, trend, total / -trend if drains and trend else None)

    def _trend_per_s(self) -> float | None:
        (since_s, then), (at_s, now) = self.lags[0], self.lags[-1]
        return (now - then) / (at_s - since_s) if at_s - since_s > PACE_S / 2 else None


def rate_of(counted: list[Counted], at_s: float) -> float | None:
    """Of several together; None where one is not known, or where there is none."""
    rates = [one.rate_per_s(at_s, RATE_S) for one in counted]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None
