"""What the probe asks, and what counts where brokers contradict each other.

A `Watch` asks one question again and again in a thread of its own, so that whoever does not answer delays nobody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Generic, TypeVar

from factorylab.clock import now_ns
from factorylab.cluster.admin import PartitionView
from factorylab.cluster.alone import OneBroker
from factorylab.errors import LabError

T = TypeVar("T")
FRESH_S = 0.5


@dataclass(frozen=True)
class BrokerWord:
    """What one broker said: partitions as it sees them, and the ends of those that it believes to lead."""

    views: dict[int, PartitionView]
    ends: dict[int, int]


def word_of(broker: OneBroker, topic: str) -> BrokerWord:
    """Ask one broker. Raises WaitTimeout when it does not answer in time."""
    views = {view.partition: view for view in broker.partitions(topic)}
    led = [p for p, view in views.items() if view.leader == broker.number]
    return BrokerWord(views, broker.ends(topic, led) if led else {})


def newest(words: Mapping[int, BrokerWord], partition: int) -> tuple[PartitionView | None, int | None]:
    """The view of a partition that counts, with its end: that of the highest leader epoch, and the leader's own before
    that of others, since it hears first who is in sync. An isolated leader never hears of the next epoch."""
    told = [(word.views[partition], broker) for broker, word in words.items() if partition in word.views]
    if not told:
        return None, None
    view, _ = max(told, key=lambda t: (t[0].epoch, t[0].leader == t[1]))
    leader = words.get(view.leader)
    return view, leader.ends.get(partition) if leader else None


@dataclass(frozen=True)
class Answer(Generic[T]):
    """`asked_ns` is on the history's clock, `came_s` on the monotonic one."""

    value: T
    asked_ns: int
    came_s: float


class Watch(Thread, Generic[T]):
    """Asks one question again and again, and keeps the latest answer."""

    def __init__(self, stop: Event, question: Callable[[], T], every_s: float) -> None:
        super().__init__(daemon=True)
        self._ended, self._question, self._every_s = stop, question, every_s  # _stop would hide a method of Thread
        self._latest: Answer[T] | None = None
        self._told: Answer[T] | None = None
        self.start()

    def run(self) -> None:
        while not self._ended.is_set():
            asked_s, asked_ns = time.monotonic(), now_ns()
            with suppress(LabError):  # asked again next time; until then the answer grows old
                self._latest = Answer(self._question(), asked_ns, time.monotonic())
            self._ended.wait(max(0.0, asked_s + self._every_s - time.monotonic()))

    def fresh(self) -> T | None:
        """The answer, unless it is older than FRESH_S."""
        latest = self._latest
        return latest.value if latest is not None and time.monotonic() - latest.came_s <= FRESH_S else None

    def news(self) -> Answer[T] | None:
        """The latest answer, once."""
        latest = self._latest
        if latest is self._told:
            return None
        self._told = latest
        return latest
