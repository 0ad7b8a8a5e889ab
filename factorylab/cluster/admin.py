"""Questions to a Kafka cluster and the few changes that a run makes to one.

Asked through kafka-python, an implementation of its own: it names the active controller and the leader epochs,
and it survives answers that never come, where librdkafka's admin calls may abort the whole process (issue 4605
there). An answer that is late is asked of the next broker, until the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import (
    FeatureUpdateFailedError,
    GroupIdNotFoundError,
    InvalidUpdateVersionError,
    KafkaError,
    for_code,
)
from kafka.protocol.consumer.offsets import IsolationLevel

from factorylab.cluster.coordinator import Coordinator
from factorylab.cluster.python_client import ANSWER_S, admin_client, persist
from factorylab.cluster.share_coordinator import ShareCoordinator
from factorylab.cluster.views import GroupView, PartitionView
from factorylab.core.errors import LabError, UsageError
from factorylab.core.waiting import wait_until
from factorylab.scenarios.model import Topology

T = TypeVar("T")
PREFERRED = 0  # election type
SEGMENTS = 4  # that a topic's retention is divided into: its records live up to a quarter longer than they must
OFFSETS_TOPIC = "__consumer_offsets"


@dataclass(frozen=True)
class TopicIdentity:
    """A topic that is deleted and made again gets another id."""

    topic_id: str
    partitions: int


class Admin:
    """One client, for one thread. Every method raises WaitTimeout when nothing answers within `deadline_s`.

    With `share_groups` the groups that it is asked about are such, which own no partitions.
    """

    def __init__(
        self, bootstrap: str, deadline_s: float = 20, answer_s: float = ANSWER_S, *, share_groups: bool = False
    ) -> None:
        self.bootstrap = bootstrap
        self._coordinator_of = ShareCoordinator if share_groups else Coordinator
        self._deadline_s, self._answer_s = deadline_s, answer_s
        self._brokers = bootstrap.split(",")
        self._client: KafkaAdminClient | None = None
        self._groups: dict[str, Coordinator] = {}

    def _ask(self, what: str, question: Callable[[KafkaAdminClient], T]) -> T:
        silent = f"no broker of {self.bootstrap} answered: {what}"
        return persist(lambda: question(self._connected()), silent, self._deadline_s, self._ask_the_next)

    def _ask_the_next(self) -> None:
        self._disconnect()
        self._brokers = [*self._brokers[1:], self._brokers[0]]

    def _connected(self) -> KafkaAdminClient:
        if self._client is None:
            self._client = admin_client(self._brokers[0], self._answer_s)
        return self._client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def close(self) -> None:
        """Give the connections up; the next question makes a new one."""
        self._disconnect()
        for coordinator in self._groups.values():
            coordinator.close()

    def topics(self) -> set[str]:
        """The names of all topics, inner ones included."""
        return self._ask("topics", lambda client: set(client.list_topics()))

    def require_topic(self, topic: str) -> None:
        """Raises UsageError where there is no such topic, naming those that there are."""
        there = sorted(name for name in self.topics() if not name.startswith("__"))
        if topic not in there:
            raise UsageError(f"this lab has no topic {topic!r}; it has: {', '.join(there) or 'none'}")

    def create_topics(self, names: Iterable[str], topology: Topology) -> None:
        """Create topics with the profile's replication; those that are there already stay as they are."""
        config = {
            "min.insync.replicas": str(topology.min_isr),
            "unclean.leader.election.enable": str(topology.unclean_election).lower(),
        }
        options = {
            "num_partitions": topology.partitions,
            "replication_factor": topology.replication,
            "configs": config,
        }

        wanted = dict.fromkeys(names, options)

        def create(client: KafkaAdminClient) -> None:
            missing = wanted.keys() - set(client.list_topics())
            if missing:  # an empty request is refused
                client.create_topics({name: wanted[name] for name in missing}, wait_for_metadata=True)

        self._ask(f"create {', '.join(wanted)}", create)

    def retain(self, topic: str, seconds_s: float | None) -> dict[str, str]:
        """Keep a topic's records for so long; None: for ever. Only closed segments are deleted: they close sooner.

        Gives the settings that were set.
        """
        config = {"retention.ms": "-1"}
        if seconds_s is not None:
            config = {
                "retention.ms": f"{seconds_s * 1000:.0f}",
                "segment.ms": f"{seconds_s * 1000 / SEGMENTS:.0f}",
            }
        self._alter(ConfigResourceType.TOPIC, topic, config)
        return config

    def enable_dead_letters(self, topic: str) -> None:
        """Let brokers write dead letters of share groups to a topic."""
        self._alter(ConfigResourceType.TOPIC, topic, {"errors.deadletterqueue.group.enable": "true"})

    def configure_group(self, group: str, settings: Mapping[str, str]) -> None:
        """Set settings of a group, which need not be there yet."""
        self._alter(ConfigResourceType.GROUP, group, settings)

    def _alter(self, kind: ConfigResourceType, name: str, settings: Mapping[str, str]) -> None:
        resource = ConfigResource(kind, name, configs=dict(settings))

        def alter(client: KafkaAdminClient) -> None:
            # without the client's own check: a broker that has not heard of a new topic knows no setting of it
            answer = client.alter_configs([resource], raise_on_unknown=False, incremental=True)[kind.name.lower()][name]
            if answer != "OK":
                raise KafkaError(answer)

        self._ask(f"settings of {name}: {', '.join(settings)}", alter)

    def group_config(self, group: str) -> dict[str, str]:
        """Effective configuration of a group as the cluster reads it back."""
        return self._config(ConfigResourceType.GROUP, group)

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete those of the topics that are there."""
        wanted = set(names)

        def delete(client: KafkaAdminClient) -> None:
            if there := sorted(wanted & set(client.list_topics())):
                client.delete_topics(there)

        self._ask(f"delete {', '.join(sorted(wanted))}", delete)

    def delete_group(self, name: str) -> None:
        """Delete a group, as soon as its last member is gone; one that is not there is no error."""

        def delete(client: KafkaAdminClient) -> None:
            answer = client.delete_groups([name])[name]
            if answer not in {"OK", GroupIdNotFoundError.__name__}:
                raise KafkaError(f"{name}: {answer}")

        self._ask(f"delete the group {name}", delete)

    def partitions(self, topic: str) -> list[PartitionView]:
        """Leader, epoch, replicas and ISR of each partition, as one broker sees them."""
        described = self._ask(f"partitions of {topic}", lambda client: _topic(client, topic))
        views = [
            PartitionView(
                partition=p["partition_index"],
                leader=p["leader_id"],
                epoch=p["leader_epoch"],
                replicas=tuple(p["replica_nodes"]),
                isr=tuple(p["isr_nodes"]),
            )
            for p in described["partitions"]
        ]
        return sorted(views, key=lambda view: view.partition)

    def out_of_sync(self) -> list[str]:
        """The partitions of all topics with a replica that is not in sync, as topic/partition."""
        described = self._ask("partitions of all topics", lambda client: client.describe_topics())
        return [
            f"{topic['name']}/{p['partition_index']}"
            for topic in described
            for p in topic["partitions"]
            if p["leader_id"] < 0 or set(p["isr_nodes"]) != set(p["replica_nodes"])
        ]

    def features(self) -> dict[str, tuple[int, int]]:
        """The level of each feature that the cluster uses, and the highest one that the broker which answers can."""
        told = self._ask("features", lambda client: client.describe_features())
        return {name: (f["finalized"][1], f["supported"][1]) for name, f in told.items() if "finalized" in f}

    def open_transactions(self) -> list[str]:
        """The transactional ids whose transaction is open, by what their coordinators say."""
        listed = self._ask("open transactions", lambda client: client.list_transactions(state_filters=["Ongoing"]))
        return [str(one.transactional_id) for of_broker in listed.values() for one in of_broker]

    def raise_features(self) -> str:
        """Raise each feature of the cluster as far as the broker that answers can; what was done, in words.

        Raises:
            LabError: a broker cannot follow, or the cluster does not tell the new levels.
        """
        before = self.features()
        wanted = {name: can for name, (used, can) in before.items() if used < can}
        if not wanted:
            return "every feature is as high as it can be"
        self._ask("raise features", lambda client: _raised(client, wanted))
        wait_until(
            lambda: all(self.features()[name][0] == level for name, level in wanted.items()),
            what="the cluster to tell its raised features",
            timeout_s=self._deadline_s,
        )
        return ", ".join(f"{name} {before[name][0]} → {level}" for name, level in sorted(wanted.items()))

    def identity(self, topic: str) -> TopicIdentity:
        """What tells a topic from one of the same name that was made later, or changed."""
        described = self._ask(f"id of {topic}", lambda client: _topic(client, topic))
        return TopicIdentity(described["topic_id"], len(described["partitions"]))

    def ends(
        self, topic: str, partitions: Iterable[int], *, start: bool = False, committed: bool = False
    ) -> dict[int, int]:
        """High watermark of each partition, or its log start offset; `committed`: its last stable offset, up to which
        no transaction is open. Asked of the leaders."""
        spec = OffsetSpec.EARLIEST if start else OffsetSpec.LATEST
        wanted = {TopicPartition(topic, p): spec for p in partitions}
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        found = self._ask(
            f"offsets of {topic}", lambda client: client.list_partition_offsets(wanted, isolation_level=isolation)
        )
        return {at.partition: answer.offset for at, answer in found.items()}

    def spans(self, topic: str, *, committed: bool = False) -> dict[int, tuple[int, int]]:
        """Log start offset and high watermark, or last stable offset, of each partition of a topic."""
        partitions = [view.partition for view in self.partitions(topic)]
        starts, ends = self.ends(topic, partitions, start=True), self.ends(topic, partitions, committed=committed)
        return {p: (starts[p], ends[p]) for p in partitions}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Next offset that the group has on record, by partition; empty where it has none. Of a share group: the offset
        below which every record is done with."""
        coordinator = self._of_group(group)
        if not isinstance(coordinator, ShareCoordinator):
            return coordinator.committed(topic)
        partitions = [view.partition for view in self.partitions(topic)]
        ends = self.ends(topic, partitions)  # before the lag: what that calls done reaches as far as they do
        done = {partition: ends[partition] for partition, lag in coordinator.lags(topic).items() if lag == 0}
        return coordinator.committed(topic) | done

    def group(self, name: str) -> GroupView:
        """State and members of a consumer group of either protocol, or of a share group."""
        return self._of_group(name).view()

    def remove_member(self, group: str, member: str) -> None:
        """Take a member out of a consumer group. Raises LabError where it is in none."""
        self._of_group(group).remove(member)

    def _of_group(self, group: str) -> Coordinator:
        if group not in self._groups:
            self._groups[group] = self._coordinator_of(self.bootstrap, group, self._deadline_s, self._answer_s)
        return self._groups[group]

    def coordinator(self, group: str) -> int:
        """The broker that coordinates a group: the leader of its partition of the offsets topic."""
        return self.coordination(group).leader

    def share_coordinator(self, group: str, topic: str, partition: int) -> int:
        """The broker that keeps the state of a partition's share of a share group."""
        coordinator = self._of_group(group)
        if not isinstance(coordinator, ShareCoordinator):
            raise LabError(f"{group} is no share group: nobody keeps the state of shares")
        return coordinator.keeper(self.identity(topic).topic_id, partition)

    def coordination(self, group: str) -> PartitionView:
        """The partition of the offsets topic whose leader coordinates a group."""
        views = self.partitions(OFFSETS_TOPIC)
        return views[coordinating_partition(group, len(views))]

    def controller(self) -> int:
        """The active controller: the leader of the metadata quorum. DescribeCluster does not tell it."""
        quorum = self._ask("the metadata quorum", lambda client: client.describe_metadata_quorum())
        return int(quorum["topics"][0]["partitions"][0]["leader_id"])

    def elect_preferred(self, topic: str = "", partitions: Iterable[int] = ()) -> None:
        """Give these partitions back to their first replica; without a topic all of the cluster, so that runs do not
        start skewed."""
        which = {topic: list(partitions)} if topic else None
        self._ask("preferred leaders", lambda client: client.elect_leaders(PREFERRED, which))

    def place(self, topic: str, replicas: Mapping[int, tuple[int, ...]]) -> None:
        """Give partitions of a topic these replicas, the first of which leads each; `wait_placed` sees it done."""

        def alter(client: KafkaAdminClient) -> None:
            answer = client.alter_partition_reassignments(
                {TopicPartition(topic, p): list(r) for p, r in replicas.items()}
            )
            if wrong := [error for error in answer.values() if error]:
                raise wrong[0](topic)

        self._ask(f"replicas of {topic}", alter)

    def wait_placed(self, topic: str, replicas: Mapping[int, tuple[int, ...]], timeout_s: float) -> None:
        """Until the partitions have these replicas, all in sync, and the first leads."""

        def done() -> bool:
            views = {view.partition: view for view in self.partitions(topic)}
            moved = all(set(views[p].replicas) == set(wanted) and views[p].full for p, wanted in replicas.items())
            if moved and all(views[p].leader == wanted[0] for p, wanted in replicas.items()):
                return True
            if moved:
                self.elect_preferred(topic, replicas)
            return False

        wait_until(done, what=f"the replicas of {topic} to be {dict(replicas)}", timeout_s=timeout_s, every_s=0.2)

    def topic_config(self, name: str, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        """Effective configuration of a topic as the cluster reads it back; what was `changed` is in it."""
        return self._config(ConfigResourceType.TOPIC, name, changed)

    def broker_config(self, number: int) -> dict[str, str]:
        """Effective configuration of a broker as it reads it back."""
        return self._config(ConfigResourceType.BROKER, str(number))

    def _config(self, kind: ConfigResourceType, name: str, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        def describe(client: KafkaAdminClient) -> dict[str, str]:
            found = client.describe_configs([ConfigResource(kind, name)], config_filter="all")
            values = {
                key: str(entry["value"])
                for key, entry in sorted(found[kind.name.lower()][name].items())
                if entry["value"] is not None and not entry["is_sensitive"]
            }
            if (
                not values or not (changed or {}).items() <= values.items()
            ):  # brokers hear of a change one after the other
                raise KafkaError("a broker that does not know it yet")
            return values

        return self._ask(f"configuration of {name}", describe)

    def wait_full_isr(self, topic: str, timeout_s: float) -> None:
        """Until every replica of `topic` is in sync."""
        seen: list[PartitionView] = []

        def look() -> bool:
            seen[:] = self.partitions(topic)
            return bool(seen) and all(view.full for view in seen)

        wait_until(
            look,
            what=f"full ISR of {topic}",
            timeout_s=timeout_s,
            every_s=0.2,
            last_seen=lambda: ", ".join(f"p{v.partition} leader {v.leader} isr {v.isr}" for v in seen),
        )


def _raised(client: KafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Raises LabError where Kafka refuses: older versions of its answer say so by feature, newer ones of all."""
    try:
        answers = client.update_features(dict(wanted))
    except (FeatureUpdateFailedError, InvalidUpdateVersionError) as error:
        raise LabError(f"features were not raised: {error}") from None
    if refused := [f"{name}: {answer}" for name, answer in answers.items() if answer != "OK"]:
        raise LabError(f"features were not raised: {'; '.join(refused)}")


def _topic(client: KafkaAdminClient, name: str) -> dict[str, Any]:
    """kafka-python's description of a topic, with its errors raised: one that is not there has no partitions in it."""
    described: dict[str, Any] = client.describe_topics([name])[0]
    if described["error_code"]:
        raise for_code(described["error_code"])(name)
    return described


def coordinating_partition(group: str, partitions: int) -> int:
    """Kafka's rule: |hashCode of the name| modulo the partitions of the offsets topic; the hash that has no absolute
    value counts as 0 (GroupCoordinatorService.partitionFor, Utils.abs)."""
    value = java_hash(group)
    return (0 if value == -(2**31) else abs(value)) % partitions


def java_hash(text: str) -> int:
    """Java's String.hashCode, signed 32 bits (over UTF-16 units; the names of groups are ASCII)."""
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value
