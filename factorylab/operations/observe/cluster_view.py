"""The cluster that is observed, asked by kafka-python: its brokers, the topic of canaries, a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import for_code

from factorylab.cluster.asking.reached import tried
from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.python_side import Way
from factorylab.cluster.python_client import admin_client, persist
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import EnvironmentUnfit

T = TypeVar("T")
LOOK_S = 1.0  # a broker's time to answer; healthy ones take milliseconds
START_S = 20.0  # until somebody answers, before anything is observed


@dataclass(frozen=True)
class ClusterLook:
    """What one broker says: who is in the cluster, by id, and who leads the canaries."""

    brokers: Mapping[int, str]
    partitions: tuple[PartitionView, ...]


class ClusterView:
    """For one thread. Each question raises WaitTimeout when nobody answers it within `deadline_s`."""

    def __init__(self, connection: Connection, deadline_s: float) -> None:
        self._bootstrap, self._way = connection.bootstrap, Way(connection)
        self._brokers, self._deadline_s = connection.bootstrap.split(","), deadline_s
        self._client: KafkaAdminClient | None = None

    def look(self, topic: str) -> ClusterLook:
        """Brokers, leaders, epochs and ISR."""
        return self._ask(f"brokers and leaders of {topic}", lambda client: _look(client, topic))

    def brokers(self) -> dict[int, str]:
        """host:port of each broker, by its id."""
        return self._ask("brokers", _brokers)

    def topics(self) -> set[str]:
        """The names of all topics that this user may see."""
        return self._ask("topics", lambda client: set(client.list_topics()))

    def create(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Make a topic with the cluster's own replication factor."""
        options = {"num_partitions": partitions, "replication_factor": -1, "configs": dict(config)}
        self._ask(f"create {topic}", lambda client: client.create_topics({topic: options}, wait_for_metadata=True))

    def config(self, topic: str) -> dict[str, str]:
        """The settings of a topic as the cluster reads them back."""

        def read(client: KafkaAdminClient) -> dict[str, str]:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            found = client.describe_configs([resource], config_filter="all")["topic"][topic]
            return {key: str(entry["value"]) for key, entry in found.items()}

        return self._ask(f"settings of {topic}", read)

    def group(self, name: str) -> tuple[str, tuple[str, ...]]:
        """State and members (client id and host) of a consumer group."""

        def read(client: KafkaAdminClient) -> tuple[str, tuple[str, ...]]:
            found = client.describe_groups([name])[name]
            members = sorted(f"{one['client_id']}{one['client_host']}" for one in found["members"])
            return str(found["group_state"]), tuple(members)

        return self._ask(f"group {name}", read)

    def close(self) -> None:
        """Give the connections up; the next question makes new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, what: str, question: Callable[[KafkaAdminClient], T]) -> T:
        silent = f"no broker of {self._bootstrap} answered: {what}"
        return persist(lambda: question(self._connected()), silent, self._deadline_s, self._ask_the_next)

    def _ask_the_next(self) -> None:
        self.close()
        self._brokers = [*self._brokers[1:], self._brokers[0]]

    def _connected(self) -> KafkaAdminClient:
        if self._client is None:
            self._client = admin_client(self._brokers[0], LOOK_S, self._way)
        return self._client


def require_reached(connection: Connection) -> None:
    """Raises EnvironmentUnfit where none of the addresses lets one in, with the reason of each."""
    found = tried(connection, connection.bootstrap.split(","))
    for one in found:
        if one.line:
            one.line.close()
    if not any(one.line for one in found):
        raise EnvironmentUnfit("\n".join(f"{one.address} is not reached: {one.why}" for one in found))


def _brokers(client: KafkaAdminClient) -> dict[int, str]:
    found = client.describe_cluster()["brokers"]
    return {one.get("broker_id", one.get("node_id")): f"{one['host']}:{one['port']}" for one in found}


def _look(client: KafkaAdminClient, topic: str) -> ClusterLook:
    described: dict[str, Any] = client.describe_topics([topic])[0]
    if described["error_code"]:
        raise for_code(described["error_code"])(topic)
    views = [
        PartitionView(
            p["partition_index"], p["leader_id"], p["leader_epoch"], tuple(p["replica_nodes"]), tuple(p["isr_nodes"])
        )
        for p in described["partitions"]
    ]
    return ClusterLook(_brokers(client), tuple(sorted(views, key=lambda view: view.partition)))
