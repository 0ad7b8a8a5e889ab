"""Contested partitions: the store's fence refused this member, so somebody else has taken the partition there.

Rules:
- Whose it is, only the group can say. A partition that was lost in the store is taken again after the group's
  coordinator has accepted an offset commit of this member; it accepts none of a member that it has thrown out, nor of
  an earlier generation. So a former member that woke up wins nothing back, and waits to hear that it has lost all.
- Where the group confirms a member and it loses all the same (two groups write into one schema), each loss waits longer
  than the one before, and one more than LOSSES_MAX ends the process.
- A new assignment, and the end of one, settles a contest; so does QUIET_S without a loss.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from confluent_kafka import KafkaError, TopicPartition

from factorylab.core.backoff import Backoff
from factorylab.core.errors import LabError
from factorylab.factory.store.positions import At

LOSSES_MAX = 4
FIRST_S, CAP_S = 0.5, 4.0
QUIET_S = 60.0


class OwnershipLost(LabError):
    """A partition was lost in the store again and again while the group said that it is this member's."""


@dataclass
class Contest:
    """That of one partition: where it was lost at `lost_s` (monotonic), and whether the group confirmed it since."""

    at: At
    losses: int = 0
    confirmed: bool = False
    lost_s: float = field(default_factory=time.monotonic)
    rest: Backoff = field(default_factory=lambda: Backoff(FIRST_S, CAP_S))


class Contests:
    """Those of one member of a group, by partition."""

    def __init__(self) -> None:
        self._open: dict[int, Contest] = {}

    def lost(self, at: At) -> int:
        """Count a loss; how many it are in a row.

        Raises:
            OwnershipLost: too many.
        """
        before = self._open.get(at.partition)
        if before is None or time.monotonic() - before.lost_s > QUIET_S:
            before = Contest(at)
        contest = replace(before, at=at, losses=before.losses + 1, confirmed=False, lost_s=time.monotonic())
        self._open[at.partition] = contest
        contest.rest.failed()
        if contest.losses > LOSSES_MAX:
            raise OwnershipLost(
                f"partition {at.partition} was taken away in the store {contest.losses} times in a row while the group "
                "says that it is this member's: somebody outside the group writes into the same tables. Give each "
                "group a schema of its own (FACTORYLAB_GROUP, FACTORYLAB_DB_SCHEMA), and start this processor again"
            )
        return contest.losses

    def heard(self, error: KafkaError | None, committed: Sequence[TopicPartition]) -> None:
        """The coordinator's answer to an offset commit of this member."""
        for at in committed:
            if error is None and at.error is None and at.partition in self._open:
                self._open[at.partition].confirmed = True

    def is_ours(self, partition: int) -> bool:
        """Nobody contests a partition, or the group has confirmed it and it was left alone for a moment."""
        contest = self._open.get(partition)
        return contest is None or (contest.confirmed and contest.rest.ready)

    def to_ask(self, partition: int) -> At | None:
        """Where a partition stood for which the group is to be asked once more, since it did not confirm in time."""
        contest = self._open.get(partition)
        if contest is None or contest.confirmed or not contest.rest.ready:
            return None
        contest.rest.failed()
        return contest.at

    def settle(self, partition: int) -> None:
        """The group has assigned a partition anew, or taken it away."""
        self._open.pop(partition, None)
