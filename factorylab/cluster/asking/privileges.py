"""Which privileges a run needs under its prefix, and whether one has them.

Each is asked by a request that can do nothing: its topic or group does not exist (its name has a new random number), or
it only validates. A broker checks the privilege first, and answers by it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from kafka.errors import KafkaError
from kafka.protocol.admin import (
    AlterPartitionReassignmentsRequest,
    CreateTopicsRequest,
    DeleteGroupsRequest,
    DeleteTopicsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.consumer import FetchRequest, HeartbeatRequest
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.producer import ProduceRequest

from factorylab.cluster.broker_line import BrokerLine
from factorylab.scenarios.model import Topology

Kind = Literal["topic", "group", "cluster"]
Answer = tuple[int, str]
"""Kafka's error code, and what the broker says with it."""
DENIED = frozenset({29, 30, 31})  # of a topic, a group, the cluster (Kafka's Errors)
BY_NAME = 12  # the last version of Produce and Fetch that names topics
TOPIC, TEN_S = 2, 10_000
TIMEOUT_MS = 5_000


@dataclass(frozen=True)
class Need:
    """A privilege, what a run needs it for, and the question."""

    kind: Kind
    operation: str
    purpose: str
    ask: Callable[[BrokerLine, str], Answer]

    @property
    def words(self) -> str:
        """As in "Create on its topics"."""
        return f"{self.operation} on {'the cluster' if self.kind == 'cluster' else f'its {self.kind}s'}"


@dataclass(frozen=True)
class Held:
    """Whether one has a privilege; None where it was not told, and `why` says why, or what else is wrong."""

    need: Need
    held: bool | None
    why: str = ""


def ask(line: BrokerLine, prefix: str, needs: Iterable[Need]) -> list[Held]:
    """Ask any one broker for each, of groups too: it denies before it says that another one coordinates. Looking for a
    group's coordinator would make the topic of offsets on a cluster that has none yet."""
    name = f"{prefix}connect-{uuid.uuid4().hex}"
    return [_asked(need, line, name) for need in needs]


def _asked(need: Need, line: BrokerLine, name: str) -> Held:
    try:
        code, said = need.ask(line, name)
    except (KafkaError, OSError) as error:
        return Held(need, None, f"not told: {type(error).__name__}")
    return Held(need, code not in DENIED, said if code else "")


def _create(line: BrokerLine, name: str) -> Answer:
    replicas = Topology().replication
    topic = CreateTopicsRequest.CreatableTopic(
        name=name, num_partitions=1, replication_factor=replicas, assignments=[], configs=[]
    )
    answer = line.ask(CreateTopicsRequest(topics=[topic], timeout_ms=TIMEOUT_MS, validate_only=True))
    return answer.topics[0].error_code, answer.topics[0].error_message or ""


def _describe(line: BrokerLine, name: str) -> Answer:
    topic = MetadataRequest.MetadataRequestTopic(name=name)
    return line.ask(MetadataRequest(topics=[topic], allow_auto_topic_creation=False)).topics[0].error_code, ""


def _write(line: BrokerLine, name: str) -> Answer:
    data = ProduceRequest.TopicProduceData
    topic = data(name=name, partition_data=[data.PartitionProduceData(index=0, records=None)])
    request = ProduceRequest(
        transactional_id=None, acks=1, timeout_ms=TIMEOUT_MS, topic_data=[topic], max_version=BY_NAME
    )
    return line.ask(request).responses[0].partition_responses[0].error_code, ""


def _read(line: BrokerLine, name: str) -> Answer:
    data = FetchRequest.FetchTopic
    partition = data.FetchPartition(partition=0, current_leader_epoch=-1, fetch_offset=0, last_fetched_epoch=-1,
                                    log_start_offset=-1, partition_max_bytes=1)  # fmt: skip
    request = FetchRequest(
        replica_id=-1, max_wait_ms=0, min_bytes=0, max_bytes=1, isolation_level=0, session_id=0, session_epoch=-1,
        topics=[data(topic=name, partitions=[partition])], forgotten_topics_data=[], rack_id="", max_version=BY_NAME,
    )  # fmt: skip
    answer = line.ask(request)
    return answer.error_code or answer.responses[0].partitions[0].error_code, ""


def _delete(line: BrokerLine, name: str) -> Answer:
    state = DeleteTopicsRequest.DeleteTopicState(name=name)
    answer = line.ask(DeleteTopicsRequest(topics=[state], topic_names=[name], timeout_ms=TIMEOUT_MS))
    return answer.responses[0].error_code, ""


def _alter_configs(line: BrokerLine, name: str) -> Answer:
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    setting = resource.AlterableConfig(name="retention.ms", config_operation=0, value="-1")
    wanted = resource(resource_type=TOPIC, resource_name=name, configs=[setting])
    answer = line.ask(IncrementalAlterConfigsRequest(resources=[wanted], validate_only=True))
    return answer.responses[0].error_code, ""


def _describe_configs(line: BrokerLine, name: str) -> Answer:
    resource = DescribeConfigsRequest.DescribeConfigsResource
    wanted = resource(resource_type=TOPIC, resource_name=name, configuration_keys=["retention.ms"])
    return line.ask(DescribeConfigsRequest(resources=[wanted])).results[0].error_code, ""


def _join(line: BrokerLine, name: str) -> Answer:
    request = HeartbeatRequest(group_id=name, generation_id=0, member_id="nobody", group_instance_id=None)
    return line.ask(request).error_code, ""


def _describe_group(line: BrokerLine, name: str) -> Answer:
    return line.ask(DescribeGroupsRequest(groups=[name])).groups[0].error_code, ""


def _delete_group(line: BrokerLine, name: str) -> Answer:
    return line.ask(DeleteGroupsRequest(groups_names=[name])).results[0].error_code, ""


def _reassign(line: BrokerLine, name: str) -> Answer:
    return line.ask(AlterPartitionReassignmentsRequest(timeout_ms=TIMEOUT_MS, topics=[])).error_code, ""


NEEDS = (
    Need("topic", "Create", "make its topics", _create),
    Need("topic", "Describe", "see leaders and ends of its partitions", _describe),
    Need("topic", "Write", "send readings and alerts", _write),
    Need("topic", "Read", "read them back", _read),
    Need("topic", "Delete", "delete its topics at the end", _delete),
    Need("topic", "AlterConfigs", "keep the log while it is read (scenarios with a retention)", _alter_configs),
    Need("topic", "DescribeConfigs", "write down its topics' settings", _describe_configs),
    Need("group", "Read", "have processors join and commit", _join),
    Need("group", "Describe", "see members and committed offsets", _describe_group),
    Need("group", "Delete", "delete its group at the end", _delete_group),
)
"""What a run needs, in the order of docs/connect.md."""
OF_LEADERSHIPS = Need("cluster", "Alter", "move the leaderships of its topics (scenarios that demote)", _reassign)
"""Kafka knows no such privilege on single topics."""


def acl_lines(missing: Iterable[Need], prefix: str, principal: str, bootstrap: str) -> list[str]:
    """Commands of Kafka's own tool that grant what is missing, for an administrator."""
    wanted: dict[Kind, list[str]] = {}
    for need in missing:
        wanted.setdefault(need.kind, []).append(f"--operation {need.operation}")
    prefixed = {kind: f"--{kind} {prefix} --resource-pattern-type prefixed" for kind in wanted}
    on = prefixed | {"cluster": "--cluster"}
    return [
        f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add "
        f"--allow-principal '{principal}' {' '.join(operations)} {on[kind]}"
        for kind, operations in wanted.items()
    ]
