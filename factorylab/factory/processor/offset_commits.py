"""Offset commits of one member, for lag monitors only: one at a time, so that heartbeats are answered.

A broker answers the requests of a connection in their turn. A commit is a record of a replicated topic and waits for a
dead follower until that is out of the ISR, or until it is given up after 5 s; heartbeats wait behind all commits that
were sent before. With one for each batch that was longer than a session, and members lost their partitions because a
broker died that was none of theirs (docs/decisions.md). So while a commit has no answer, only the latest positions are
kept, and they are sent when it is there, five times a second at most: each is a write to three brokers.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from factorylab.factory.processor.contest import Contests

EVERY_S = 0.2  # as often as the lab's probe looks at the lag


class OffsetCommits:
    """`heard` is to be the client's `on_commit`; `contests` hear of every answer as well."""

    def __init__(self, topic: str, contests: Contests) -> None:
        self._topic, self._contests = topic, contests
        self._latest: dict[int, int] = {}
        self._unanswered, self._next_s = False, 0.0

    def note(self, partition: int, next_offset: int) -> None:
        """What is to be committed next of a partition."""
        self._latest[partition] = next_offset

    def send(self, consumer: Consumer, owned: Collection[int]) -> None:
        """Commit what was noted of partitions that are still `owned`, unless an answer is awaited or it is too soon."""
        if self._unanswered or time.monotonic() < self._next_s:
            return
        positions = [TopicPartition(self._topic, p, at) for p, at in self._latest.items() if p in owned]
        self._latest.clear()
        if positions:
            with suppress(KafkaException):
                consumer.commit(offsets=positions, asynchronous=True)
                self._unanswered, self._next_s = True, time.monotonic() + EVERY_S

    def send_last(self, consumer: Consumer, owned: Collection[int]) -> None:
        """Commit what was noted without waiting for an answer: a member that leaves needs no more heartbeats."""
        self._unanswered, self._next_s = False, 0.0
        self.send(consumer, owned)

    def heard(self, error: KafkaError | None, committed: Sequence[TopicPartition]) -> None:
        """The coordinator's answer, or that there will be none."""
        self._unanswered = False
        self._contests.heard(error, committed)
