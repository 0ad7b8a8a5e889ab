"""The alerts that a log should have raised: one uninterrupted pass over it, by the processors' own code.

Poison that was set aside is left out, since no detector ever saw it. Batch boundaries and owners change no alert, so
what the pass gives is what any mix of owners, kills and pauses must have given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from confluent_kafka import Message

from factorylab.core.messages import Alert
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.polls import records_of
from factorylab.factory.store.positions import Taken

Place = tuple[int, int]  # partition, offset


class AlertReplay:
    """Feed the records of whole partitions, each partition in its order."""

    def __init__(self, set_aside: Collection[Place] = ()) -> None:
        self._set_aside = frozenset(set_aside)
        self._owned: dict[int, Owned] = {}

    def feed(self, batch: Iterable[Message]) -> Iterator[Alert]:
        """The alerts that these records raise."""
        shares: dict[int, list[Message]] = defaultdict(list)
        for message in batch:
            place = message.partition() or 0, message.offset() or 0
            if place not in self._set_aside:
                shares[place[0]].append(message)
        for partition, share in shares.items():
            owned = self._owned.setdefault(partition, Owned.of(partition, Taken(0, 0), 0))
            yield from owned.prepare(records_of(partition, share), _any_id).alerts


def _any_id(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    """The ids of the table `sensors` are part of no alert."""
    return {name: 0 for name, _, _ in sensors}
