"""Pace: how long the last round of a processor took, step by step, so that a lost membership can be explained.

A member that does not poll for `max.poll.interval.ms` is taken for stuck: librdkafka leaves the group in its name, and
the next poll calls its partitions lost, and only then says why. So the processor looks at the clock before it polls.
What it still commits meanwhile counts only as far as nobody has taken its partitions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["taking", "preparing", "delivering", "storing"]
POLL_INTERVAL, POLL_INTERVAL_MS = "max.poll.interval.ms", 300_000  # librdkafka's default
SLOW_STORE = (
    "the database was slow: lower FACTORYLAB_STORE_DEADLINE_S, so that what it does not answer is given up in time and"
    " tried again"
)
ADVICE: Mapping[Step, str] = {
    "taking": SLOW_STORE,
    "preparing": "make batches smaller (FACTORYLAB_BATCH_RECORDS)",
    "delivering": "Kafka was slow to acknowledge alerts or dead letters: lower FACTORYLAB_PRODUCE_DEADLINE_S, so that "
    "the batch is given up in time and tried again, or make batches smaller (FACTORYLAB_BATCH_RECORDS)",
    "storing": SLOW_STORE + ", or make batches smaller (FACTORYLAB_BATCH_RECORDS)",
}


@dataclass
class Pace:
    """Seconds of each step of the last round; `interval_s` is the longest time without a poll."""

    interval_s: float
    took_s: dict[Step, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _polled_at: float = field(default_factory=time.monotonic)

    def polled(self) -> None:
        """A poll has returned."""
        self._polled_at = self._since = time.monotonic()

    @property
    def late(self) -> bool:
        """The last poll was longer ago than the group waits."""
        return time.monotonic() - self._polled_at > self.interval_s

    def begin(self) -> None:
        """The first poll of a round has returned."""
        self.took_s = {}
        self.polled()

    def did(self, step: Step) -> None:
        """What was done since `begin` or the last `did` was this."""
        now = time.monotonic()
        self.took_s[step] = self.took_s.get(step, 0.0) + now - self._since
        self._since = now

    @property
    def round_s(self) -> float:
        return sum(self.took_s.values())

    def explain(self) -> str:
        """Why the group took the partitions away, which setting says so, and what to do."""
        rule = f"no poll for longer than {POLL_INTERVAL} = {self.interval_s * 1000:.0f}"
        if self.round_s < self.interval_s:
            why = f"the last batch took only {self.round_s:.1f} s: the process stood still, paused or out of CPU time"
            return f"{rule}; {why}"
        slowest = max(self.took_s, key=lambda step: self.took_s[step])
        steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.took_s.items())
        way_out = f"{ADVICE[slowest]}; or raise {POLL_INTERVAL} in the file of FACTORYLAB_CONSUMER_CONFIG"
        return f"{rule}; the last batch took {self.round_s:.1f} s ({steps}): {way_out}"

    def too_short_for(self, produce_deadline_s: float, store_deadline_s: float) -> str:
        """What is wrong where the deadlines of a batch, one after the other, outlast the interval; "" where nothing."""
        longest = produce_deadline_s + store_deadline_s
        if longest < self.interval_s:
            return ""
        return (
            f"a batch may take {longest:g} s (FACTORYLAB_PRODUCE_DEADLINE_S {produce_deadline_s:g} +"
            f" FACTORYLAB_STORE_DEADLINE_S {store_deadline_s:g}), longer than {POLL_INTERVAL} ="
            f" {self.interval_s * 1000:.0f}: then the group takes the partitions away in the middle of it"
        )
