"""What the coordinator of a consumer group says of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka.errors import GroupIdNotFoundError
from kafka.protocol.admin import DescribeGroupsRequest
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import ConsumerProtocolAssignment, OffsetFetchRequest
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from factorylab.cluster.broker_line import BrokerLine, raise_error
from factorylab.cluster.librdkafka import client_config
from factorylab.cluster.python_client import ANSWER_S, persist
from factorylab.cluster.secured import way_to
from factorylab.cluster.views import GroupMember, GroupView
from factorylab.core.errors import WaitTimeout

T = TypeVar("T")
SINCE_GROUPS, WITHOUT_MEMBERS = 8, 8  # versions of OffsetFetch: they name groups, and no member of one or topic id yet
SINCE_KEYS = 4  # of FindCoordinator
OF_KIP848 = "not a classic group"


class Coordinator:
    """Asks the coordinator of one group, for one thread. Who that is, any broker tells, again after each failure.

    Both questions raise WaitTimeout when nobody answers within `deadline_s`.
    """

    def __init__(self, bootstrap: str, group: str, deadline_s: float = 20, answer_s: float = ANSWER_S) -> None:
        self._bootstrap, self._group = bootstrap, group
        self._deadline_s, self._answer_s = deadline_s, answer_s
        self._brokers = bootstrap.split(",")
        self._line: BrokerLine | None = None

    def view(self) -> GroupView:
        """State and members of the group, of either protocol; one that is not there is Dead and has none."""
        described = self._ask(f"group {self._group}", DescribeGroupsRequest(groups=[self._group]), _described)
        if OF_KIP848 in (described.error_message or ""):
            return self._view_of_kip848()
        members = [GroupMember(m.client_id, _partitions(m.member_assignment)) for m in described.members]
        return GroupView(described.group_state, tuple(members))

    def committed(self, topic: str) -> dict[int, int]:
        """Next offset that the group has on record, by partition; empty where it has none."""
        of_all_topics = OffsetFetchRequest.OffsetFetchRequestGroup(group_id=self._group, topics=None)
        request = OffsetFetchRequest(groups=[of_all_topics], min_version=SINCE_GROUPS, max_version=WITHOUT_MEMBERS)
        return self._ask(f"offsets of group {self._group}", request, lambda answer: _offsets(answer, topic))

    def close(self) -> None:
        """Give the connection up; the next question makes a new one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _ask(self, what: str, request: ApiMessage, read: Callable[[ApiMessage], T]) -> T:
        return persist(
            lambda: read(self._connected().ask(request)), self._silent(what), self._deadline_s, self._look_elsewhere
        )

    def _silent(self, what: str) -> str:
        return f"no broker of {self._bootstrap} answered: {what}"

    def _look_elsewhere(self) -> None:
        self.close()
        self._brokers = [*self._brokers[1:], self._brokers[0]]

    def _connected(self) -> BrokerLine:
        if self._line is None:
            address = self._address()
            self._line = BrokerLine(address, self._answer_s, way_to(address))
        return self._line

    def _address(self) -> str:
        request = FindCoordinatorRequest(
            key_type=CoordinatorType.GROUP, coordinator_keys=[self._group], min_version=SINCE_KEYS
        )
        with closing(BrokerLine(self._brokers[0], self._answer_s, way_to(self._brokers[0]))) as line:
            found = line.ask(request).coordinators[0]
        raise_error(found.error_code, f"coordinator of {self._group}")
        return f"{found.host}:{found.port}"

    def _view_of_kip848(self) -> GroupView:
        """kafka-python cannot describe these groups. librdkafka can, with a time limit that no fault outlasts."""
        client = AdminClient(client_config(self._bootstrap, "factorylab"))
        try:
            described = client.describe_consumer_groups([self._group], request_timeout=120)[self._group].result()
        except KafkaException as error:
            raise WaitTimeout(f"{self._silent(f'group {self._group}')} ({error})") from None
        members = [
            GroupMember(m.client_id, tuple(sorted(tp.partition for tp in m.assignment.topic_partitions or ())))
            for m in described.members
            if m.assignment is not None
        ]
        return GroupView(described.state.name.capitalize(), tuple(members))


def _described(answer: ApiMessage) -> Any:
    """The group in an answer. Raises KafkaError where its coordinator tells nothing of it, or is another broker."""
    group = answer.groups[0]
    if group.error_code != GroupIdNotFoundError.errno:
        raise_error(group.error_code, group.group_id)
    return group


def _partitions(assignment: bytes) -> tuple[int, ...]:
    """All partitions of a member's assignment; the group reads one topic. Empty while it has none."""
    if not assignment:
        return ()
    topics = ConsumerProtocolAssignment.decode(assignment).assigned_partitions
    return tuple(sorted(p for topic in topics for p in topic.partitions))


def _offsets(answer: ApiMessage, topic: str) -> dict[int, int]:
    group = answer.groups[0]
    raise_error(group.error_code, group.group_id)
    of_topic = [p for found in group.topics if found.name == topic for p in found.partitions]
    for partition in of_topic:
        raise_error(partition.error_code, f"{topic}-{partition.partition_index}")
    return {partition.partition_index: partition.committed_offset for partition in of_topic}
