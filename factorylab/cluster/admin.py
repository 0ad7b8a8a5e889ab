"""Questions to a Kafka cluster and the few changes that a run makes to one.

Each question is asked again until some broker answers or the deadline passes: librdkafka sends it to any broker
whose connection is up, and a frozen broker's connection is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import ElectionType, IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ListOffsetsResultInfo, NewTopic, OffsetSpec, ResourceType

from factorylab.errors import WaitTimeout
from factorylab.scenario import Topology
from factorylab.waiting import wait_until

T = TypeVar("T")
ANSWER_S = 2.0  # one broker's time to answer; healthy ones take milliseconds


@dataclass(frozen=True)
class PartitionView:
    """`leader` is −1 where there is none."""

    partition: int
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]

    @property
    def full(self) -> bool:
        return self.leader >= 0 and set(self.isr) == set(self.replicas)


@dataclass(frozen=True)
class GroupView:
    """`owners` maps a partition to the client id (worker name) of its owner."""

    state: str
    coordinator: int
    members: tuple[str, ...]
    owners: dict[int, str]


def client_config(bootstrap: str, client_id: str) -> dict[str, str | int | float | bool]:
    """Connection settings of the lab's own clients: they must find a cluster again soon after a fault."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "log_level": 0,  # a dead broker is what the lab is about, not news
    }


class Admin:
    """One client; all methods raise WaitTimeout when nothing answers within `deadline_s`."""

    def __init__(self, bootstrap: str, deadline_s: float = 20) -> None:
        self.bootstrap = bootstrap
        self.deadline_s = deadline_s
        self._client = AdminClient(client_config(bootstrap, "factorylab-admin"))

    def _ask(self, what: str, question: Callable[[], Future[T]]) -> T:
        deadline = time.monotonic() + self.deadline_s
        while True:
            try:
                return question().result(timeout=ANSWER_S + 1)
            except (KafkaException, TimeoutError) as error:
                if time.monotonic() >= deadline:
                    raise WaitTimeout(f"no broker of {self.bootstrap} answered: {what} ({error})") from None
                time.sleep(0.1)

    def create_topics(self, names: Iterable[str], topology: Topology) -> None:
        """Create topics with the profile's replication; min ISR and unclean election are set on each topic."""
        config = {
            "min.insync.replicas": str(topology.min_isr),
            "unclean.leader.election.enable": str(topology.unclean_election).lower(),
        }
        topics = [NewTopic(n, topology.partitions, topology.replication, config=config) for n in names]
        for name, future in self._client.create_topics(topics, operation_timeout=20, request_timeout=25).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    raise WaitTimeout(f"topic {name!r} could not be created: {error}") from None

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics; those that are not there are passed over."""
        for future in self._client.delete_topics(list(names), request_timeout=20).values():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                    raise WaitTimeout(f"a topic could not be deleted: {error}") from None

    def partitions(self, topic: str) -> list[PartitionView]:
        """Leader, replicas and ISR of each partition, as one broker sees them."""
        described = self._ask(
            f"partitions of {topic}",
            lambda: self._client.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S)[topic],
        )
        return [
            PartitionView(
                p.id,
                p.leader.id if p.leader is not None else -1,
                tuple(n.id for n in p.replicas),
                tuple(n.id for n in p.isr),
            )
            for p in described.partitions
        ]

    def ends(self, topic: str, partitions: Iterable[int], *, start: bool = False) -> dict[int, int]:
        """High watermark of each partition, or its log start offset."""
        spec = OffsetSpec.earliest() if start else OffsetSpec.latest()

        def one(partition: int) -> int:
            at = TopicPartition(topic, partition)

            def question() -> Future[ListOffsetsResultInfo]:
                return self._client.list_offsets(
                    {at: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_S
                )[at]

            def answer() -> list[int]:  # against a frozen broker the call succeeds with offset −1001
                offset = self._ask(f"offsets of {topic}/{partition}", question).offset
                return [offset] if offset >= 0 else []

            return wait_until(answer, what=f"an offset of {topic}/{partition}", timeout_s=self.deadline_s)[0]

        return {p: one(p) for p in partitions}

    def group(self, name: str) -> GroupView:
        """State, coordinator and owners of a consumer group."""
        described = self._ask(
            f"group {name}",
            lambda: self._client.describe_consumer_groups([name], request_timeout=ANSWER_S)[name],
        )
        owners = {
            tp.partition: m.client_id
            for m in described.members
            if m.assignment is not None
            for tp in m.assignment.topic_partitions
        }
        coordinator = described.coordinator.id if described.coordinator is not None else -1
        return GroupView(described.state.name, coordinator, tuple(m.client_id for m in described.members), owners)

    def controller(self) -> int:
        """The active controller: the leader of the metadata quorum. DescribeCluster does not tell it."""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        problem = ""
        for broker in self.bootstrap.split(","):
            try:
                client = KafkaAdminClient(bootstrap_servers=broker, request_timeout_ms=3_000)
            except KafkaError as error:
                problem = str(error)
                continue
            try:
                return int(client.describe_metadata_quorum()["topics"][0]["partitions"][0]["leader_id"])
            except KafkaError as error:
                problem = str(error)
            finally:
                client.close()
        raise WaitTimeout(f"no broker of {self.bootstrap} named the active controller: {problem}")

    def elect_preferred(self) -> None:
        """Give each partition back to its first replica, so that runs do not start skewed."""
        try:
            self._client.elect_leaders(ElectionType.PREFERRED, None, request_timeout=10).result()
        except KafkaException as error:
            if error.args[0].name() != "ELECTION_NOT_NEEDED":
                raise WaitTimeout(f"preferred leaders could not be elected: {error}") from None

    def config(self, kind: ResourceType, name: str) -> dict[str, str]:
        """Effective configuration as the cluster reads it back; sensitive values are left out."""
        resource = ConfigResource(kind, name)
        entries = self._ask(
            f"configuration of {name}",
            lambda: self._client.describe_configs([resource], request_timeout=ANSWER_S)[resource],
        )
        return {k: str(e.value) for k, e in sorted(entries.items()) if not e.is_sensitive and e.value is not None}

    def wait_full_isr(self, topic: str, timeout_s: float) -> None:
        """Until every replica of `topic` is in sync."""
        seen: list[PartitionView] = []

        def look() -> bool:
            seen[:] = self.partitions(topic)
            return all(view.full for view in seen)

        wait_until(
            look, what=f"full ISR of {topic}", timeout_s=timeout_s, every_s=0.2,
            last_seen=lambda: ", ".join(f"p{v.partition} leader {v.leader} isr {v.isr}" for v in seen),
        )  # fmt: skip
