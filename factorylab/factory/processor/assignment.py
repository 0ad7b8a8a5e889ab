"""Which partitions a processor has: assigned by the group, taken in the store, or waiting to be taken.

Callbacks fire only inside a poll. A partition that could not be taken is paused and waits in `pending`; after each
poll taking is tried again, so one that meanwhile went to another member is not taken back from it. One that another
owner has taken in the store is taken again only after the group has said that it is this member's: see `contest`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from factorylab.core.backoff import Backoff
from factorylab.core.vocabulary import GroupEvent
from factorylab.factory import json_logs
from factorylab.factory.processor.contest import Contests
from factorylab.factory.processor.outbox import Undelivered
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.crash_points import reached
from factorylab.factory.store.positions import At
from factorylab.factory.store.store import Store


class Assignment:
    """`owned` are the partitions to work on; `rebalances` counts assignments, `gone` the ends of such by reason.

    `contests` hear of the consumer's offset commits. `delivered_to` is asked of a partition before it is taken; where
    it raises Undelivered, the partition waits.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        *,
        incremental: bool,
        store: Store,
        evidence: ProcessorJournal,
        logger: json_logs.Logger,
        contests: Contests | None = None,
        delivered_to: Callable[[int], int] = lambda partition: 0,
    ) -> None:
        self.owned: dict[int, Owned] = {}
        self.pending: set[int] = set()
        self.rebalances = 0
        self.gone: Counter[str] = Counter()
        self.backoff = Backoff()
        self._number = 0
        self._forgiven: set[int] = set()
        self._reason: str | None = None
        self._consumer, self._topic, self._incremental = consumer, topic, incremental
        self._store, self._evidence, self._log = store, evidence, logger
        self._contests = contests or Contests()
        self._delivered_to = delivered_to

    def subscribe(self) -> None:
        """Join the group."""
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._assigned,
            on_revoke=lambda _, gone: self._gone("revoked", gone),
            on_lost=lambda _, gone: self._gone("lost", gone),
        )

    def _assigned(self, consumer: Consumer, assigned: Sequence[TopicPartition]) -> None:
        self.rebalances += 1
        self._number += 1
        partitions = sorted(at.partition for at in assigned)
        self._record("assigned", partitions)
        for partition in partitions:
            self._contests.settle(partition)
            self._take(partition)
        start = [self._start(p) for p in partitions]
        if self._incremental:
            consumer.incremental_assign(start)
        else:
            consumer.assign(start)
        consumer.resume([at for at in start if at.partition in self.owned])  # a pause outlives an assignment
        consumer.pause([at for at in start if at.partition in self.pending])
        if self.rebalances == 1:
            self._log.info("ready")

    def _gone(self, event: GroupEvent, gone: Sequence[TopicPartition]) -> None:
        reached("revoking")
        self._end(event, sorted(at.partition for at in gone))

    def end(self) -> None:
        """The client is dead: whatever this member had belongs to others by now."""
        self.expect_loss("client_dead")
        self._end("lost", sorted({*self.owned, *self.pending}))

    def _end(self, event: GroupEvent, partitions: list[int]) -> None:
        for partition in partitions:
            self.owned.pop(partition, None)
            self.pending.discard(partition)
            self._contests.settle(partition)
        reason, self._reason = self._reason or event, None
        self.gone[reason] += 1
        self._record(event, partitions, reason=reason)

    def expect_loss(self, reason: str | None) -> None:
        """Why the partitions that will be lost in a moment are."""
        self._reason = reason

    def _record(self, event: GroupEvent, partitions: list[int], **more: str) -> None:
        self._log.info(event, partitions=partitions, rebalance_no=self._number, **more)
        self._store.note(event, partitions=partitions, rebalance_no=self._number, **more)
        self._evidence.group(event, partitions, self._number)

    def _take(self, partition: int) -> bool:
        """Take a partition in the store; when the store is away it waits."""
        try:
            delivered_to = self._delivered_to(partition)
            taken = self._store.take(partition, forgive=partition in self._forgiven)
        except (StoreUnavailable, Undelivered) as error:
            event = "store_unavailable" if isinstance(error, StoreUnavailable) else "offsets_unavailable"
            self._log.warning(event, partition=partition, error=str(error))
            self.pending.add(partition)
            self.backoff.failed()
            return False
        self.pending.discard(partition)
        reached("taken")
        self._forgiven.discard(partition)
        self.owned[partition] = Owned.of(partition, taken, self._number)
        self.owned[partition].delivered_to = delivered_to
        return True

    def _start(self, partition: int) -> TopicPartition:
        """Where reading goes on. Position 0 is the beginning, even where retention has moved it."""
        owned = self.owned.get(partition)
        offset = owned.next_offset if owned else 0
        return TopicPartition(self._topic, partition, offset or OFFSET_BEGINNING)

    def give_up(self, partition: int, *, forgive: bool = True) -> None:
        """Stop working on a partition until it was taken again. `forgive`: its records are not to blame."""
        if forgive:
            self._forgiven.add(partition)
        if self.owned.pop(partition, None) is not None:
            self.pending.add(partition)
            self._consumer.pause([TopicPartition(self._topic, partition)])
        self.backoff.failed()

    def contest(self, at: At) -> None:
        """Another owner has taken a partition in the store: ask the group whose it is, and take it again if it is ours.

        Raises:
            OwnershipLost: that does not help.
        """
        losses = self._contests.lost(at)
        self._log.warning("contested", partition=at.partition, losses=losses)
        self.give_up(at.partition)
        self._ask_group(at)

    def _ask_group(self, at: At) -> None:
        """The answer comes in a later poll. The group's offset must not go back behind what was delivered."""
        with suppress(KafkaException, Undelivered):  # it cannot be asked now: later
            offset = max(at.offset, self._delivered_to(at.partition))
            self._consumer.commit(offsets=[TopicPartition(self._topic, at.partition, offset)], asynchronous=True)

    def _is_ours(self, partition: int) -> bool:
        """Whether a partition may be taken: one that is contested after the group has said that it is this member's."""
        if asking := self._contests.to_ask(partition):
            self._ask_group(asking)
        return self._contests.is_ours(partition)

    def take_pending(self) -> None:
        """Try to take what waits. Call it after a poll, when callbacks have had their chance."""
        if not (self.pending and self.backoff.ready and self._store.ready):
            return
        self._number += 1
        for partition in filter(self._is_ours, sorted(self.pending)):
            if not self._take(partition):
                return
            if self.rewind(partition):
                self._consumer.resume([TopicPartition(self._topic, partition)])
            else:
                self.give_up(partition)

    def rewind(self, partition: int) -> bool:
        """Fetch again from the position; false where the client is not ready for it."""
        try:
            self._consumer.seek(self._start(partition))
        except KafkaException as error:
            self._log.warning("seek_refused", partition=partition, error=str(error))
            return False
        return True
