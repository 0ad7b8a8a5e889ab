"""What one broker says, asked alone.

An `Admin` asks any broker that it has heard of, whatever address it was given. Where the network is cut, brokers
contradict each other: then it matters who said what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import ListOffsetsRequest, OffsetSpec
from kafka.protocol.metadata import MetadataRequest

from factorylab.cluster.broker_line import BrokerLine, raise_error
from factorylab.cluster.python_client import ANSWER_S, persist
from factorylab.cluster.secured import address_of, way_to
from factorylab.cluster.views import PartitionView

T = TypeVar("T")
Topic = MetadataRequest.MetadataRequestTopic
TopicEnds = ListOffsetsRequest.ListOffsetsTopic
NOBODY = -1  # a consumer asks, no replica, and it knows of no epoch


class OneBroker:
    """Broker `number` of `bootstrap`, for one thread: no other broker answers for it. Leaders, epochs and ISR
    are as that broker believes, and ends are those of the partitions that it leads.

    Each question raises WaitTimeout when it gives no answer within `deadline_s`.
    """

    def __init__(self, bootstrap: str, number: int, deadline_s: float = 20, answer_s: float = ANSWER_S) -> None:
        self.number = number
        self._address = address_of(bootstrap, number)
        self._deadline_s, self._answer_s = deadline_s, answer_s
        self._line: BrokerLine | None = None

    def partitions(self, topic: str) -> list[PartitionView]:
        """Leader, epoch, replicas and ISR of each partition, in their order."""
        request = MetadataRequest(topics=[Topic(name=topic)], allow_auto_topic_creation=False)
        return self._ask(f"partitions of {topic}", request, _views)

    def topics(self) -> set[str]:
        """The names of all topics, inner ones included."""
        request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
        return self._ask("topics", request, lambda answer: {topic.name for topic in answer.topics})

    def own_ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The high watermark of each of these partitions that it leads. A leader of a new epoch tells none before its
        followers have caught up with it."""
        wanted = [
            TopicEnds.ListOffsetsPartition(partition_index=p, current_leader_epoch=NOBODY, timestamp=OffsetSpec.LATEST)
            for p in partitions
        ]
        request = ListOffsetsRequest(replica_id=NOBODY, topics=[TopicEnds(name=topic, partitions=wanted)])
        return self._ask(f"ends of {topic}", request, _ends)

    def _ask(self, what: str, request: ApiMessage, read: Callable[[ApiMessage], T]) -> T:
        silent = f"broker {self.number} at {self._address} did not answer: {what}"
        return persist(lambda: read(self._connected().ask(request)), silent, self._deadline_s, self.close)

    def _connected(self) -> BrokerLine:
        if self._line is None:
            self._line = BrokerLine(self._address, self._answer_s, way_to(self._address))
        return self._line

    def close(self) -> None:
        """Give the connection up; the next question makes a new one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()


def _views(answer: ApiMessage) -> list[PartitionView]:
    """Raises KafkaError: the broker knows no such topic."""
    topic = answer.topics[0]
    raise_error(topic.error_code, topic.name)
    views = (
        PartitionView(p.partition_index, p.leader_id, p.leader_epoch, tuple(p.replica_nodes), tuple(p.isr_nodes))
        for p in topic.partitions
    )
    return sorted(views, key=lambda view: view.partition)


def _ends(answer: ApiMessage) -> dict[int, int]:
    return {told.partition_index: told.offset for told in answer.topics[0].partitions if not told.error_code}
