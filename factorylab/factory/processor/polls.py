"""What a poll brought: the records of owned partitions that go on where each stands, and the client's errors.

Rules:
- Messages that do not continue at the expected offset (left over from before a seek or a revocation) are dropped.
- A hole in the offsets is fetched again; if it is still there it is one of the log, and is noted.
- A position that is not in the log any more ends the process (see `missing_position`), and so does a dead client.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from confluent_kafka import KafkaError, Message, TopicPartition

from factorylab.factory.client_errors import sorted_out
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.member import Member
from factorylab.factory.processor.missing_position import PositionLost, lost
from factorylab.factory.processor.owned_partition import Owned


class Polls:
    """Those of one member of the group."""

    def __init__(self, member: Member) -> None:
        self._config, self._log, self._counts = member.config, member.log, member.counts
        self._consumer, self._store, self._assignment = member.consumer, member.store, member.assignment

    def shares(self, polled: Sequence[Message]) -> list[Records]:
        """The records of each owned partition that go on where it stands.

        Raises:
            ClientDead: the consumer is; its partitions have gone to other members.
            PositionLost: see `missing_position`.
        """
        shares: dict[int | None, list[Message]] = defaultdict(list)
        messages, errors = sorted_out(polled)
        for error, partition in errors:
            self._client_error(error, partition)
        for message in messages:
            shares[message.partition()].append(message)
        found = []
        for partition, share in shares.items():
            owned = self._assignment.owned.get(partition) if partition is not None else None
            if owned and (records := self._going_on(owned, records_of(owned.partition, share))):
                found.append(records)
        return found

    def _going_on(self, owned: Owned, records: Records) -> Records | None:
        going_on = records.since(owned.next_offset)
        if going_on is None or owned.next_offset in {going_on.first_offset, 0}:
            return going_on
        if owned.gap_seen_at != owned.next_offset:  # fetch again: what was only left over then disappears
            owned.gap_seen_at = owned.next_offset
            self._assignment.rewind(owned.partition)
            return None
        gap = {"partition": owned.partition, "position": owned.next_offset, "next": going_on.first_offset}
        self._log.warning("gap", **gap)
        self._store.note("gap", **gap)
        return going_on

    def _client_error(self, error: KafkaError, partition: int | None) -> None:
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:
            self._log.info("left_group", error=str(error))  # `too_slow` has explained it, and the loss came before
            self._assignment.expect_loss(None)
            return
        self._counts["errors"] += 1
        self._log.error("client_error", error=str(error), partition=partition)
        self._store.note("error", error=str(error), partition=partition)
        owned = self._assignment.owned.get(partition) if partition is not None else None
        if owned:  # perhaps its position is not in the log: never skip silently
            self._stop_where_lost(owned, error)
            self._assignment.give_up(owned.partition)

    def _stop_where_lost(self, owned: Owned, error: KafkaError) -> None:
        at = TopicPartition(self._config.sensor_topic, owned.partition, owned.next_offset)
        if loss := lost(self._consumer, at, error):
            self._store.note("position_lost", **asdict(loss))
            self._log.error("position_lost", **asdict(loss))
            raise PositionLost(loss.explain(self._config.db_schema))


def records_of(partition: int, share: Sequence[Message]) -> Records:
    """Plain columns of messages of one partition. What came before a step back is left over from before a seek."""
    offsets = np.fromiter((message.offset() for message in share), np.int64, len(share))
    steps_back = np.flatnonzero(np.diff(offsets) <= 0)
    if len(steps_back):
        share, offsets = share[steps_back[-1] + 1 :], offsets[steps_back[-1] + 1 :]
    return Records(partition, offsets, [message.key() for message in share], [message.value() for message in share])
