"""A cluster and an observer of it in one thread, on a clock of their own."""

from __future__ import annotations

import random
from typing import cast

from factorylab.cluster.views import PartitionView
from factorylab.core.clock import NS, ClockStamp
from factorylab.execution.probe_questions import Answer
from factorylab.operations.observe.account import Account, Told
from factorylab.operations.observe.availability import Outage, ServiceName
from factorylab.operations.observe.canary import Schedule
from factorylab.operations.observe.cluster_view import ClusterLook
from factorylab.operations.observe.door import DoorAnswer
from factorylab.operations.observe.summarize import summarize
from factorylab.operations.observe.summary import Plan, Summary

RATE_HZ, PARTITIONS = 2.0, 2
ANSWER_S, READ_S = 0.004, 0.010
BEGINS_S = 1_000.0
WALL_NS = 1_700_000_000 * NS
STEP_S = 0.2  # from tick to tick: no pause yet


class ObservedWorld:
    """`run` goes on for so many seconds. A partition whose `out_until` lies ahead answers then, all that waits at
    once."""

    def __init__(self, seed: int = 1) -> None:
        self.now_s, self._random = BEGINS_S, random.Random(seed)
        self.told: list[Told] = []
        start = ClockStamp("boot", self.now_ns, WALL_NS)
        self._schedule = Schedule(start.mono_ns, RATE_HZ, PARTITIONS)
        self.account = Account(self._schedule, PARTITIONS, start, self.told.append)
        self.out_until = dict.fromkeys(range(PARTITIONS), 0.0)
        self._seq, self._offset = dict.fromkeys(range(PARTITIONS), 0), dict.fromkeys(range(PARTITIONS), 0)
        self._waiting: dict[int, list[int]] = {p: [] for p in range(PARTITIONS)}

    @property
    def now_ns(self) -> int:
        return round(self.now_s * NS)

    def run(self, for_s: float) -> None:
        """The observer is at work."""
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            self.now_s += STEP_S
            self.account.tick(self.now_ns)
            for partition in range(PARTITIONS):
                self._offer(partition)
                if self.now_s >= self.out_until[partition]:
                    self._answer(partition)

    def sleep(self, for_s: float) -> None:
        """The observer is stopped: what was due in that time is not offered."""
        self.now_s += for_s
        for partition in range(PARTITIONS):
            self._seq[partition] = max(self._schedule.due(partition, self.now_ns), self._seq[partition])

    def out(self, for_s: float, *partitions: int) -> None:
        """From now on these partitions do not answer for so long."""
        for partition in partitions:
            self.out_until[partition] = self.now_s + for_s

    def outages(self, service: ServiceName | None = None) -> list[Outage]:
        return [one for one in self.account.outages(self.now_ns) if service in {None, one.service}]

    def summary(self, objective: float = 0.999) -> Summary:
        plan = Plan("here", "canary", PARTITIONS, RATE_HZ, objective)
        return summarize(self.account, plan, self.now_ns)

    def _offer(self, partition: int) -> None:
        while self._seq[partition] < self._schedule.due(partition, self.now_ns):
            self.account.offered(partition, self._seq[partition], self.now_ns)
            self._waiting[partition].append(self._seq[partition])
            self._seq[partition] += 1

    def _answer(self, partition: int) -> None:
        at_s, took = max(self.now_s, self.out_until[partition]), self._random.uniform(0.5, 1.5)
        for seq in self._waiting[partition]:
            offset = self._offset[partition]
            self._offset[partition] += 1
            self.account.acked(partition, seq, offset, round((at_s + ANSWER_S * took) * NS))
            self.account.read(partition, seq, offset, round((at_s + READ_S * took) * NS))
        self._waiting[partition].clear()


class SeenCluster:
    """What a watch would have been told: three brokers, of which `silent` do not answer, and who leads. `looked_s` is
    when somebody answered last."""

    def __init__(self, world: ObservedWorld) -> None:
        self._world, self.looked_s = world, world.now_s
        self.leaders, self.isr = [1, 2], [(1, 2, 3), (1, 2, 3)]
        self.silent: set[int] = set()

    def look(self) -> Answer[ClusterLook]:
        views = [PartitionView(p, self.leaders[p], 1, (1, 2, 3), self.isr[p]) for p in range(PARTITIONS)]
        brokers = {number: f"host:{number}" for number in (1, 2, 3)}
        return Answer(ClusterLook(brokers, tuple(views)), round(self.looked_s * NS), self.looked_s)

    def doors(self) -> dict[int, Answer[DoorAnswer]]:
        said = {number: "silent" if number in self.silent else "answers" for number in (1, 2, 3)}
        return {n: Answer(cast("DoorAnswer", word), self._world.now_ns, self._world.now_s) for n, word in said.items()}

    def group(self) -> str:
        return ""

    def group_asked_ns(self) -> int | None:
        return None
