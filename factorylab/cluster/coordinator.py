"""What the coordinator of a consumer group says of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from kafka.errors import GroupIdNotFoundError
from kafka.protocol.admin import DescribeGroupsRequest
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import ConsumerProtocolAssignment, LeaveGroupRequest, OffsetFetchRequest
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from factorylab.cluster.broker_line import BrokerLine, raise_error
from factorylab.cluster.group_protocol import ConsumerGroupDescribeRequest
from factorylab.cluster.python_client import ANSWER_S, persist
from factorylab.cluster.secured import way_to
from factorylab.cluster.views import GroupMember, GroupView
from factorylab.core.errors import LabError

T = TypeVar("T")
SINCE_GROUPS, WITHOUT_MEMBERS = 8, 8  # versions of OffsetFetch: they name groups, and no member of one or topic id yet
SINCE_KEYS = 4  # of FindCoordinator
OF_MEMBERS = 3  # version of LeaveGroup: it names members, whoever asks
REMOVED = "removed by factorylab"
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
        members = [
            GroupMember(m.client_id, _partitions(m.member_assignment), m.member_id, instance=m.group_instance_id)
            for m in described.members
        ]
        return GroupView(described.group_state, tuple(members))

    def committed(self, topic: str) -> dict[int, int]:
        """Next offset that the group has on record, by partition; empty where it has none."""
        of_all_topics = OffsetFetchRequest.OffsetFetchRequestGroup(group_id=self._group, topics=None)
        request = OffsetFetchRequest(groups=[of_all_topics], min_version=SINCE_GROUPS, max_version=WITHOUT_MEMBERS)
        return self._ask(f"offsets of group {self._group}", request, lambda answer: _offsets(answer, topic))

    def remove(self, name: str) -> None:
        """Take the members of this name out of the group, as `Admin.removeMembersFromConsumerGroup` of Java does; a
        client that lives joins again with its next heartbeat.

        Raises:
            LabError: there is none.
        """
        members = [member for member in self.view().members if member.name == name]
        if not members:
            raise LabError(f"{name} is no member of {self._group}")
        leaving = [
            LeaveGroupRequest.MemberIdentity(member_id=m.id, group_instance_id=m.instance, reason=REMOVED)
            for m in members
        ]
        request = LeaveGroupRequest(group_id=self._group, members=leaving, min_version=OF_MEMBERS)
        self._ask(f"remove {name} from group {self._group}", request, _removed)

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
        request = ConsumerGroupDescribeRequest(group_ids=[self._group], include_authorized_operations=False)
        group = self._ask(f"group {self._group}", request, _described)
        members = [
            GroupMember(
                m.client_id,
                tuple(sorted(p for of in m.assignment.topic_partitions for p in of.partitions)),
                m.member_id,
                m.member_epoch,
                m.instance_id,
            )
            for m in group.members
        ]
        return GroupView(group.group_state, tuple(members))


def _removed(answer: ApiMessage) -> None:
    """Raises KafkaError where a member was not removed: it may have left just before."""
    raise_error(answer.error_code, "LeaveGroup")
    for member in answer.members:
        raise_error(member.error_code, member.member_id)


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
