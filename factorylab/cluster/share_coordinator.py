"""What the coordinator of a share group says of it."""

from __future__ import annotations

import base64
from uuid import UUID

from kafka.errors import GroupIdNotFoundError
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from factorylab.cluster.broker_line import raise_error
from factorylab.cluster.coordinator import Coordinator
from factorylab.cluster.share_protocol import DescribeShareGroupOffsetsRequest, ShareGroupDescribeRequest
from factorylab.cluster.views import GroupMember, GroupView

SINCE_SHARE_GROUPS = 6  # of FindCoordinator


class ShareCoordinator(Coordinator):
    """As `Coordinator`. Members of a share group have partitions in common."""

    def view(self) -> GroupView:
        """State and members of the group; one that is not there is Dead and has none."""
        request = ShareGroupDescribeRequest(group_ids=[self._group], include_authorized_operations=False)
        return self._ask(f"share group {self._group}", request, _view)

    def committed(self, topic: str) -> dict[int, int]:
        """Start offset of each partition's share: every record below it was accepted, rejected or archived. Empty where
        nothing is on record. It may stay behind for good though all records are done with: `lags` tells."""
        return {partition: start for partition, (start, _) in self._progress(topic).items() if start >= 0}

    def lags(self, topic: str) -> dict[int, int]:
        """Records of each partition that are neither accepted nor rejected nor archived, as the broker counts them
        (KIP-1226); empty where it does not say."""
        return {partition: lag for partition, (_, lag) in self._progress(topic).items() if lag >= 0}

    def keeper(self, topic_id: str, partition: int) -> int:
        """The broker that keeps the state of a partition's share: what was acquired, how often, and what is done with.
        It is the leader of one partition of `__share_group_state`, and need not be the coordinator of the group."""
        key = f"{self._group}:{_as_kafka(topic_id)}:{partition}"
        request = FindCoordinatorRequest(
            key_type=CoordinatorType.SHARE, coordinator_keys=[key], min_version=SINCE_SHARE_GROUPS
        )
        return self._ask(f"share coordinator of {key}", request, _keeper)

    def _progress(self, topic: str) -> dict[int, tuple[int, int]]:
        of_group = DescribeShareGroupOffsetsRequest.DescribeShareGroupOffsetsRequestGroup
        request = DescribeShareGroupOffsetsRequest(groups=[of_group(group_id=self._group, topics=None)])
        return self._ask(f"offsets of share group {self._group}", request, lambda answer: _starts(answer, topic))


def _as_kafka(topic_id: str) -> str:
    """Kafka writes the 16 bytes of an id in base64, without padding; kafka-python in hexadecimal."""
    return base64.urlsafe_b64encode(UUID(topic_id).bytes).decode().rstrip("=")


def _keeper(answer: ApiMessage) -> int:
    found = answer.coordinators[0]
    raise_error(found.error_code, found.key)
    return int(found.node_id)


def _view(answer: ApiMessage) -> GroupView:
    group = answer.groups[0]
    if group.error_code == GroupIdNotFoundError.errno:
        return GroupView("Dead", ())
    raise_error(group.error_code, group.group_id)
    members = [
        GroupMember(m.client_id, tuple(sorted(p for of in m.assignment.topic_partitions for p in of.partitions)))
        for m in group.members
    ]
    return GroupView(group.group_state, tuple(members))


def _starts(answer: ApiMessage, topic: str) -> dict[int, tuple[int, int]]:
    """Start offset and lag by partition; −1 where the broker does not know."""
    group = answer.groups[0]
    if group.error_code == GroupIdNotFoundError.errno:
        return {}
    raise_error(group.error_code, group.group_id)
    of_topic = [p for found in group.topics if found.topic_name == topic for p in found.partitions]
    for partition in of_topic:
        raise_error(partition.error_code, f"{topic}-{partition.partition_index}")
    return {p.partition_index: (p.start_offset, p.lag) for p in of_topic}
