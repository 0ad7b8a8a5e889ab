"""The account of an observation, by a clock that is given: hours of it take a second or two."""

from __future__ import annotations

import random

from factorylab.core.clock import NS, ClockStamp
from factorylab.operations.observe.account import Account, Told
from factorylab.operations.observe.availability import Outage
from factorylab.operations.observe.canary import Schedule

RATE_HZ, PARTITIONS = 4.0, 3
ANSWER_S, READ_S = 0.004, 0.010
HOUR_S = 3_600


class World:
    """A cluster and an observer in one thread: `run` goes on for so many seconds. A partition whose `out_until` lies
    ahead answers then, all that waits at once."""

    def __init__(self, seed: int = 1) -> None:
        self.now_s, self.random = 1_000.0, random.Random(seed)
        self.said: list[Told] = []
        start = ClockStamp("boot", round(self.now_s * NS), 1_700_000_000 * NS)
        self.schedule = Schedule(start.mono_ns, RATE_HZ, PARTITIONS)
        self.account = Account(self.schedule, PARTITIONS, start, self.said.append)
        self.out_until = dict.fromkeys(range(PARTITIONS), 0.0)
        self.next_seq, self.next_offset = dict.fromkeys(range(PARTITIONS), 0), dict.fromkeys(range(PARTITIONS), 0)
        self.waiting: dict[int, list[int]] = {p: [] for p in range(PARTITIONS)}

    @property
    def now_ns(self) -> int:
        return round(self.now_s * NS)

    def run(self, for_s: float) -> None:
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            self.now_s += 1 / RATE_HZ / PARTITIONS / 2
            self.account.tick(self.now_ns)
            for partition in range(PARTITIONS):
                self.offer(partition)
                if self.now_s >= self.out_until[partition]:
                    self.answer(partition)

    def offer(self, partition: int) -> None:
        while self.next_seq[partition] < self.schedule.due(partition, self.now_ns):
            seq = self.next_seq[partition]
            self.next_seq[partition] += 1
            self.account.offered(partition, seq, self.now_ns)
            self.waiting[partition].append(seq)

    def answer(self, partition: int) -> None:
        at_s = max(self.now_s, self.out_until[partition])
        for seq in self.waiting[partition]:
            offset = self.next_offset[partition]
            self.next_offset[partition] += 1
            took_s = self.random.uniform(0.5, 1.5)
            self.account.acked(partition, seq, offset, round((at_s + ANSWER_S * took_s) * NS))
            self.account.read(partition, seq, offset, round((at_s + READ_S * took_s) * NS))
        self.waiting[partition].clear()

    def outages(self) -> list[Outage]:
        return self.account.outages(self.now_ns)


def test_eight_quiet_hours_raise_no_alarm() -> None:
    """Of 8 hours of a healthy cluster nothing is told, and all of them are observed."""
    world = World()
    world.run(8 * HOUR_S)
    assert world.outages() == [] and world.said == []
    assert abs(world.account.own.observed_s(world.now_ns) - 8 * HOUR_S) < 1
    counts = world.account.counts()
    assert counts.offered == counts.acknowledged == counts.read > 8 * HOUR_S * RATE_HZ * PARTITIONS - 10
