"""How the lab's brokers are configured: three combined KRaft nodes with a static quorum, on loopback only.

A node is known by its number (1, 2, 3). Each has an address of its own where the system has more than one
loopback address, and ports of its own in any case. In an isolated lab (see `network`) nodes and workers meet at inner
addresses, and ports of the loopback address are forwarded for programs of this host, which are told of those only.
What is not named here has Kafka's default; in particular `broker.session.timeout.ms` stays 9 s, since the stall it
causes is one of the lab's findings.
"""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import javaproperties

from factorylab.cluster.places import BrokerPlace
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.sessions import BROKER_HEARTBEAT_S, BROKER_SESSION_S

CLUSTER_ID = "ZmFjdG9yeWxhYi0wMDAwMQ"  # 16 bytes in base64, as Kafka wants it
RESERVED_DIRECTORY_IDS = 100  # Kafka keeps the first hundred UUIDs for itself
HEAP_MB = 384
CONFIG, DATA, SCRATCH, LOGGING = "server.properties", "data", "tmp", "log4j2.properties"  # in a node's own folder
CHECKPOINTS: dict[KafkaVersion, str] = {
    "4.3.1": "bootstrap.checkpoint",
    "4.4.0": "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
}
"""Where in the data StorageTool of each version writes the feature levels that a new cluster begins with."""
CLEANER_BUFFER_MB = 16  # the default of 128 MB does not fit into our heap, and the cleaner would die of it


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


COMMON = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FORWARDED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    # A group gathers for this long before its first rebalance: enough for processors started together.
    "group.initial.rebalance.delay.ms": "500",
    "group.consumer.min.session.timeout.ms": _ms(BROKER_SESSION_S),
    "group.consumer.session.timeout.ms": _ms(BROKER_SESSION_S),
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": _ms(BROKER_HEARTBEAT_S),
    # How soon a topic's retention acts; the default of 5 minutes outlasts every experiment.
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": str(CLEANER_BUFFER_MB * 2**20),
}


def replication(brokers: int) -> dict[str, str]:
    """The inner topics of the cluster must survive what the lab does: 3 replicas, 2 in sync."""
    copies, in_sync = str(min(3, brokers)), str(min(2, brokers))
    return {
        "default.replication.factor": copies,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def properties(place: BrokerPlace, places: Sequence[BrokerPlace]) -> dict[str, str]:
    """server.properties of one node among `places`. It works in its own folder and names what is there relatively: to
    Kafka and Log4j a comma in a path parts two paths."""
    return COMMON | replication(len(places)) | place.listeners() | {
        "node.id": str(place.number),
        "controller.quorum.voters": ",".join(f"{p.number}@{p.quorum}" for p in places),
        "log.dirs": DATA,
    }  # fmt: skip


def write_properties(path: Path, values: Mapping[str, str]) -> None:
    """Write a .properties file as Java reads it."""
    path.write_text(javaproperties.dumps(values, timestamp=None, sort_keys=True), encoding="ascii")


def directory_id() -> str:
    """A random UUID in Kafka's spelling, outside of those that Kafka reserves and without a leading dash."""
    while True:
        raw = secrets.token_bytes(16)
        text = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        if int.from_bytes(raw) >= RESERVED_DIRECTORY_IDS and not text.startswith("-"):
            return text


def write_node(
    folder: Path, place: BrokerPlace, places: Sequence[BrokerPlace], kafka: KafkaVersion, checkpoint: bytes
) -> None:
    """A formatted node of the version `kafka` in `folder`.

    `checkpoint` is the content of that version's CHECKPOINTS, made by Kafka's own StorageTool: without it all features
    are at level 0, which switches KIP-848 and eligible leader replicas off.
    """
    (folder / DATA).mkdir(parents=True)
    (folder / SCRATCH).mkdir()
    meta = {"version": "1", "cluster.id": CLUSTER_ID, "node.id": str(place.number), "directory.id": directory_id()}
    write_properties(folder / DATA / "meta.properties", meta)
    path = folder / DATA / CHECKPOINTS[kafka]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(checkpoint)
    write_config(folder, place, places)


def write_config(folder: Path, place: BrokerPlace, places: Sequence[BrokerPlace]) -> None:
    """The configuration of a node in `folder`, and that of its logging."""
    shutil.copyfile(Path(__file__).with_name(LOGGING), folder / LOGGING)
    write_properties(folder / CONFIG, properties(place, places))
