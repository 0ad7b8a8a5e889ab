"""When the observer itself did not look: such time says nothing of the cluster, neither good nor bad.

The observer ticks some twenty times a second. Where two ticks are far apart it was paused (SIGSTOP, a suspended host),
or short of CPU. Where the wall clock moves against the monotonic one, the clock was stepped. Where its evidence cannot
be written, what it saw cannot be shown.
"""

from __future__ import annotations

from collections import deque

import msgspec

from factorylab.analysis.spans import joined, outside
from factorylab.core.clock import JUMP_S, NS, ClockStamp

TICK_S = 0.05
PAUSED_S = 0.25
"""Two ticks that are further apart are a pause. A shorter one is no stall either (`analysis.silence.STALL_S`)."""
SETTLE_MAX_S = 2.0
"""After a pause the clients find requests that ran out and connections that were closed: as long as the pause was, but
at most this long, their answers say nothing of the cluster."""
KEPT = 10_000  # pauses; of older ones only the sum is known
Span = tuple[int, int]


class Unobserved(msgspec.Struct, frozen=True):
    """A time that the observer did not see, on the monotonic clock, and why."""

    start_ns: int
    end_ns: int
    why: str


class OwnTime:
    """What of the time since `start` was observed."""

    def __init__(self, start: ClockStamp) -> None:
        self._start_ns, self._tick_ns = start.mono_ns, start.mono_ns
        self._stamp, self._offset_ns = start, start.wall_ns - start.mono_ns
        self._spans: deque[Span] = deque(maxlen=KEPT)
        self._sum_ns = 0
        self._unwritten_since: int | None = None
        self._why_unwritten = ""
        self.intervals: deque[Unobserved] = deque(maxlen=KEPT)

    def tick(self, now_ns: int) -> Unobserved | None:
        """The observer is at work now. Gives the pause that ends here, if there was one."""
        before, self._tick_ns = self._tick_ns, now_ns
        paused_ns = now_ns - before
        if paused_ns <= PAUSED_S * NS:
            return None
        settled_ns = now_ns + min(paused_ns, round(SETTLE_MAX_S * NS))
        return self._add(Unobserved(before, settled_ns, f"the observer did not run for {paused_ns / NS:.2f} s"))

    def stamped(self, now: ClockStamp) -> Unobserved | None:
        """Both clocks were read. Gives the time since the last reading where one of them jumped in it."""
        before, self._stamp = self._stamp, now
        jump_s = ((now.wall_ns - now.mono_ns) - (before.wall_ns - before.mono_ns)) / NS
        if abs(jump_s) <= JUMP_S:
            return None
        self._offset_ns = now.wall_ns - now.mono_ns
        return self._add(Unobserved(before.mono_ns, now.mono_ns, f"the clock was stepped by {jump_s:+.2f} s"))

    def unwritten(self, now_ns: int, why: str) -> None:
        """Evidence could not be written."""
        if self._unwritten_since is None:
            self._unwritten_since, self._why_unwritten = now_ns, why

    def written(self, now_ns: int) -> Unobserved | None:
        """Evidence could be written. Gives the time in which it could not, if it ends here."""
        since, self._unwritten_since = self._unwritten_since, None
        if since is None:
            return None
        return self._add(Unobserved(since, now_ns, f"the evidence could not be written: {self._why_unwritten}"))

    def wall_ns(self, mono_ns: int) -> int:
        """The wall clock's time of a moment, as the clock is set now."""
        return mono_ns + self._offset_ns

    def seen(self, start_ns: int, end_ns: int) -> list[Span]:
        """The parts of a span that were observed."""
        return outside(self._all(end_ns), (start_ns, end_ns))

    def whole(self, start_ns: int, end_ns: int) -> bool:
        """Was all of a span observed, one that ends about now?"""
        if self._unwritten_since is not None:
            return False
        latest = next(((start, end) for start, end in reversed(self._spans) if start < end_ns), None)
        return latest is None or latest[1] <= start_ns

    def observed_s(self, now_ns: int) -> float:
        """How much of the time so far was observed."""
        late_ns = sum(end - max(start, now_ns) for start, end in self._spans if end > now_ns)
        unwritten_ns = 0 if self._unwritten_since is None else now_ns - self._unwritten_since
        return max(now_ns - self._start_ns - self._sum_ns + late_ns - unwritten_ns, 0) / NS

    def _all(self, until_ns: int) -> list[Span]:
        open_ended = [] if self._unwritten_since is None else [(self._unwritten_since, until_ns)]
        return [*self._spans, *open_ended]

    def _add(self, found: Unobserved) -> Unobserved:
        """What is new begins when the last tick was: it overlaps with the latest ones alone."""
        self.intervals.append(found)
        span = (found.start_ns, found.end_ns)
        near = []
        while self._spans and self._spans[-1][1] >= span[0]:
            near.append(self._spans.pop())
        merged = joined([*near, span])
        self._sum_ns += sum(b - a for a, b in merged) - sum(b - a for a, b in near)
        self._spans.extend(merged)
        return found
