"""Quantiles of a stream in bounded memory."""

from __future__ import annotations

import math
from collections import Counter, deque

ERROR = 0.01
"""The relative error of each quantile: bucket i holds γ^(i−1) < x ≤ γ^i, with γ = (1 + ERROR) / (1 − ERROR), and stands
for 2γ^i / (γ + 1) (DDSketch: Masson, Rim, Lee, VLDB 2019)."""
GAMMA = (1 + ERROR) / (1 - ERROR)
RECENT_S = 10
LEAST_S = 1e-6  # shorter ones count as this long; so from here to a day there are below 1,300 buckets


class LatencySketch:
    """Latencies in seconds; any number of them takes the same memory."""

    def __init__(self) -> None:
        self.count, self.sum_s, self.max_s = 0, 0.0, 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, latency_s: float) -> None:
        self.count, self.sum_s, self.max_s = self.count + 1, self.sum_s + latency_s, max(self.max_s, latency_s)
        self._buckets[math.ceil(math.log(max(latency_s, LEAST_S), GAMMA))] += 1

    def take(self, other: LatencySketch) -> None:
        """All of another one as well."""
        self.count, self.sum_s = self.count + other.count, self.sum_s + other.sum_s
        self.max_s = max(self.max_s, other.max_s)
        self._buckets.update(other._buckets)

    def quantile(self, share: float) -> float | None:
        """What so large a share of the latencies does not exceed, within ERROR; None without any."""
        left = max(math.ceil(share * self.count), 1)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return 2 * GAMMA**bucket / (GAMMA + 1)
        return None


class RecentLatency:
    """Quantiles of the last RECENT_S, to a second: a sketch for each second, so any number takes the same memory."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, LatencySketch]] = deque(maxlen=RECENT_S)

    def add(self, at_s: float, latency_s: float) -> None:
        """One that was complete at `at_s`. Those before the latest second that is known count to that one."""
        second = math.floor(at_s)
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, LatencySketch()))
        self._seconds[-1][1].add(latency_s)

    def since(self, now_s: float) -> LatencySketch:
        """All of the last RECENT_S together."""
        merged = LatencySketch()
        for second, sketch in self._seconds:
            if second > now_s - RECENT_S:
                merged.take(sketch)
        return merged
