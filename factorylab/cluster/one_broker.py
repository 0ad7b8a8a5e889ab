"""What one broker says, asked alone.

An `Admin` asks any broker that it has heard of, whatever address it was given. Where the network is cut, brokers
contradict each other: then it matters who said what.
"""

from __future__ import annotations

from collections.abc import Iterable

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from factorylab.cluster.admin import ANSWER_S, Admin

AT_ONCE_MS = 1  # kafka-python asks a broker that leads no more again until then


class OneBroker(Admin):
    """A client of broker `number` (from 1) of `bootstrap`: no other broker answers for it. Leaders, epochs and ISR are
    as that broker believes, and ends are those of the partitions that it leads."""

    def __init__(self, bootstrap: str, number: int, deadline_s: float = 20, answer_s: float = ANSWER_S) -> None:
        super().__init__(bootstrap.split(",")[number - 1], deadline_s, answer_s)
        self.number = number

    def _connected(self) -> KafkaAdminClient:
        client = super()._connected()
        client._manager.least_loaded_node = lambda: self.number  # there is no public way to choose the broker
        client._async_get_leader_for_partitions = self._itself  # kafka-python would ask for the leaders each time
        return client

    async def _itself(self, partitions: Iterable[TopicPartition]) -> dict[int, set[TopicPartition]]:
        return {self.number: set(partitions)}

    def own_end(self, topic: str, partition: int) -> int:
        """The high watermark of a partition that it leads.

        Raises:
            WaitTimeout: it does not answer, or does not lead it.
        """
        at = TopicPartition(topic, partition)
        wanted = {at: OffsetSpec.LATEST}
        found = self._ask(f"end of {at}", lambda client: client.list_partition_offsets(wanted, timeout_ms=AT_ONCE_MS))
        return int(found[at].offset)
