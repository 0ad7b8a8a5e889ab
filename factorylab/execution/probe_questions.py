"""What the probe asks, and what counts where brokers contradict each other.

A `RepeatedQuestion` is asked again and again in a thread of its own, so that a missing answer delays no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Generic, TypeVar

from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.views import PartitionView
from factorylab.core.clock import now_ns
from factorylab.core.errors import LabError

T = TypeVar("T")
FRESH_S = 0.5


Views = Mapping[int, PartitionView]
"""By partition, what one broker says."""


def views_of(broker: OneBroker, topic: str) -> Views:
    """What a broker says of each partition. Raises WaitTimeout when it does not answer in time."""
    return {view.partition: view for view in broker.partitions(topic)}


def ends_of(broker: OneBroker, topic: str, views: Views | None) -> dict[int, int]:
    """The ends of those partitions that a broker names itself leader of in `views`. A leader of a new epoch tells none
    before its followers have caught up with it. Raises WaitTimeout when it does not answer in time."""
    led = [partition for partition, view in (views or {}).items() if view.leader == broker.number]
    return broker.own_ends(topic, led) if led else {}


def newest(told: Mapping[int, Views], partition: int) -> PartitionView | None:
    """The view of a partition that counts, of those that brokers `told`: of the highest leader epoch, and the leader's
    own before that of others, since it hears first who is in sync. An isolated leader never hears of a new epoch."""
    known = [(views[partition], broker) for broker, views in told.items() if partition in views]
    best = max(known, key=lambda known: (known[0].epoch, known[0].leader == known[1]), default=None)
    return best[0] if best else None


@dataclass(frozen=True)
class Answer(Generic[T]):
    """`asked_ns` is on the history's clock, `came_s` on the monotonic one."""

    value: T
    asked_ns: int
    came_s: float


class RepeatedQuestion(Thread, Generic[T]):
    """Asks one question again and again, and keeps the latest answer; `at_end` closes what it asks with.

    What it cannot ask for another reason than that nobody answers, it raises in the thread that looks at the answers.
    """

    def __init__(
        self, stop: Event, question: Callable[[], T], every_s: float, at_end: Callable[[], None] | None = None
    ) -> None:
        super().__init__(daemon=True)
        self._ended, self._question, self._every_s = stop, question, every_s  # _stop would hide a method of Thread
        self._at_end = at_end
        self._latest: Answer[T] | None = None
        self._told: Answer[T] | None = None
        self._broken: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._ask_on()
        except Exception as error:  # a thread that dies alone would leave its answers missing without a word
            self._broken = error
        if self._at_end:
            self._at_end()

    def _ask_on(self) -> None:
        while not self._ended.is_set():
            asked_s, asked_ns = time.monotonic(), now_ns()
            with suppress(LabError):  # asked again next time; until then the answer grows old
                self._latest = Answer(self._question(), asked_ns, time.monotonic())
            self._ended.wait(max(0.0, asked_s + self._every_s - time.monotonic()))

    def latest(self) -> Answer[T] | None:
        """What was answered last, however old."""
        if self._broken is not None:
            raise self._broken
        return self._latest

    def fresh(self) -> T | None:
        """What was answered, unless it is older than FRESH_S."""
        answer = self.answer()
        return answer.value if answer is not None else None

    def answer(self) -> Answer[T] | None:
        """The answer, unless it is older than FRESH_S."""
        latest = self.latest()
        return latest if latest is not None and time.monotonic() - latest.came_s <= FRESH_S else None

    def news(self) -> Answer[T] | None:
        """The latest answer, once."""
        latest = self.latest()
        if latest is self._told:
            return None
        self._told = latest
        return latest
