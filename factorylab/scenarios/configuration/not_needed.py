"""Settings that decide nothing about delivery, those of older clients, and those of frameworks around a client."""

from __future__ import annotations

import re
from collections.abc import Mapping

LOGIN_NAMES = r"(sasl|ssl|security|https|oauthbearer)[._].*|enable\.(sasl|ssl)\..*"
LOGIN = "says how to log in, which is not tried"
NOT_NEEDED: Mapping[str, str] = {
    r"(key|value)\.(de)?serializer": "turns objects into bytes: no delivery depends on it",
    r"interceptor\.classes|interceptors|plugin\.library\.paths|config\.providers|.*_cb|opaque": "is code of the "
    "program, which is not looked at",
    r"bootstrap\.servers|metadata\.broker\.list|client\.(id|rack|dns\.lookup)|broker\.address\..*": "names or finds "
    "somebody: nothing is connected to",
    LOGIN_NAMES: LOGIN,
    r"metrics?\..*|auto\.include\.jmx\.reporter|enable\.metrics\.push|statistics\..*|debug|log([._].*)?|"
    r"test\.mock\..*": "serves to watch or to test the client",
}
"""Names, as regular expressions, and why a check of delivery needs no such setting. Their values are never shown."""
OTHERS = (
    r"(schema\.registry|avro|specific|protobuf|json|basic\.auth|bearer\.auth|spring\.json|confluent|subject|"
    r"config\.providers)\..*|.*\.subject\.name\.strategy|auto\.register\.schemas|use\.latest\..*"
)
"""Names that no client knows, for they are those of serializers, interceptors and providers of other libraries."""

OF_OLDER: Mapping[str, str] = {
    "auto.commit.enable": "enable.auto.commit",
    "batch.num.messages": "batch.size",
    "block.on.buffer.full": "max.block.ms",
    "compression.codec": "compression.type",
    "consumer.timeout.ms": "the time-out of poll()",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "key.serializer.class": "key.serializer",
    "message.send.max.retries": "retries",
    "metadata.broker.list": "bootstrap.servers",
    "metadata.fetch.timeout.ms": "max.block.ms",
    "producer.type": "nothing: every producer is asynchronous",
    "queue.buffering.max.messages": "buffer.memory",
    "queue.buffering.max.ms": "linger.ms",
    "rebalance.backoff.ms": "nothing: the coordinator decides",
    "rebalance.max.retries": "nothing: the coordinator decides",
    "request.required.acks": "acks",
    "serializer.class": "value.serializer",
    "timeout.ms": "request.timeout.ms",
    "zookeeper.connect": "bootstrap.servers",
    "zookeeper.connection.timeout.ms": "nothing",
    "zookeeper.session.timeout.ms": "session.timeout.ms",
    "zookeeper.sync.time.ms": "nothing",
}
"""Settings that clients once had and Kafka's definitions have no more, and what took their place. librdkafka still
knows some of them."""
OF_OLDER_BROKERS: Mapping[str, str] = {
    "advertised.host.name": "advertised.listeners",
    "advertised.port": "advertised.listeners",
    "host.name": "listeners",
    "port": "listeners",
    "inter.broker.protocol.version": "metadata.version, by kafka-features.sh",
    "log.message.format.version": "nothing",
    "zookeeper.connect": "controller.quorum.bootstrap.servers: brokers run without ZooKeeper since Kafka 4.0",
    "zookeeper.connection.timeout.ms": "nothing",
    "zookeeper.session.timeout.ms": "broker.session.timeout.ms",
}
"""The same of brokers."""
SCALA_CLIENT = frozenset({"serializer.class", "key.serializer.class", "producer.type", "zookeeper.connect"})
"""What only the clients before Kafka's Java clients had: beside these, names that librdkafka took over mean nothing."""

FRAMEWORKS: Mapping[str, str] = {
    r"spring\.(?!json\.).*": "Spring Boot",
    r"quarkus\..*|kafka\.bootstrap\.servers|mp\.messaging\..*": "Quarkus",
    r"application\.(id|server)|num\.stream\.threads|processing\.guarantee|(main|restore|global)\.consumer\..*": "Kafka "
    "Streams",
    r"clusters|[\w-]+->[\w-]+\.enabled|(source|target)\.cluster\.alias|.*\.bootstrap\.servers": "MirrorMaker",
    r"(key|value)\.converter(\..*)?|(offset|config|status)\.storage\..*|connector\.class|plugin\.path": "Kafka Connect",
}


def why_not_needed(name: str, *, of_broker: bool) -> str:
    """Why a check of delivery leaves a known setting alone; empty where it does not. Of a broker's only the login
    counts: `log.retention.ms` is no client's log."""
    if of_broker:
        return LOGIN if re.fullmatch(LOGIN_NAMES, name) else ""
    return next((why for pattern, why in NOT_NEEDED.items() if re.fullmatch(pattern, name)), "")


def of_another_library(name: str) -> bool:
    """Whether a name that the client does not know is one that others put into the same file."""
    return re.fullmatch(rf"{OTHERS}|listener\.name\..*", name) is not None


def framework(names: list[str]) -> tuple[str, str]:
    """The framework that a file belongs to, and the key that tells; empty where it is a plain client's."""
    found = ((one, name) for name in names for pattern, one in FRAMEWORKS.items() if re.fullmatch(pattern, name))
    return next(found, ("", ""))
