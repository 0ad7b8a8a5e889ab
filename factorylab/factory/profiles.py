"""The safe client profiles, in one place. A user's .properties file wins over them, key by key.

Values and reasons: librdkafka's CONFIGURATION.md. The defaults that would hurt here: idempotence is off, a moved
leader may go unnoticed for 300 s, and after a full fetch queue the next fetch waits a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from confluent_kafka import KafkaException

from factorylab.core.errors import UsageError
from factorylab.core.sessions import CLASSIC_SESSION_S
from factorylab.core.sources import read_properties
from factorylab.factory import client_options, json_logs
from factorylab.factory.client_options import Role
from factorylab.factory.config import FleetConfig, ProcessorConfig
from factorylab.scenarios.client_settings import ONLY_ERRORS, TRUE, spelled

REFUSALS = (KafkaException, TypeError, ValueError, AttributeError)
"""What the constructors raise: the last three for settings that they take as Python objects, as callbacks and flags."""

Settings = dict[str, str | int | float | bool]
Client = TypeVar("Client")

CONNECTION: Mapping[str, str | int | float | bool] = {
    "socket.timeout.ms": 10_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.interval.ms": 10_000,
}
PRODUCER: Mapping[str, str | int | float | bool] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # as Java clients do
    "delivery.timeout.ms": 120_000,
    "batch.num.messages": 10_000,
    "queue.buffering.max.messages": 100_000,  # librdkafka's default: beyond it the fleet sheds
    "queue.buffering.max.kbytes": 262_144,
}
CONSUMER: Mapping[str, str | int | float | bool] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # positions come from the store: a lost one must never pass silently
    "check.crcs": True,
    "fetch.queue.backoff.ms": 10,
    "fetch.wait.max.ms": 50,
    "fetch.min.bytes": 100_000,
    "queued.min.messages": 50_000,
}


def fleet_producer(config: FleetConfig) -> Settings:
    """The producer of a fleet."""
    own = fleet_defaults(config.linger_ms, config.compression)
    return _merged(config.bootstrap, config.worker, own, "producer", config.producer_config)


def fleet_defaults(linger_ms: float, compression: str) -> Settings:
    """Many small readings, so batches are given a moment to fill."""
    return {**CONNECTION, **PRODUCER, "linger.ms": linger_ms, "compression.type": compression}


def alert_producer(config: ProcessorConfig) -> Settings:
    """The producer of alerts and dead letters: few records, each awaited.

    Without transactions not idempotent: a repeated alert has the same id, and so a processor that starts or loses a
    broker need not wait for the cluster's transaction coordinator before it can store.
    """
    own: Settings = {
        "enable.idempotence": False,
        "linger.ms": 0,
        "message.max.bytes": 1_048_000,  # a dead letter is a little larger than the record that caused it
        "delivery.timeout.ms": int(config.produce_deadline_s * 1000),
    }
    own |= _of_transactions(config)
    return _merged(
        config.bootstrap,
        f"{config.worker}-alerts",
        {**CONNECTION, **PRODUCER, **own},
        "producer",
        config.producer_config,
    )


def _of_transactions(config: ProcessorConfig) -> Settings:
    """One id for each worker: whoever comes back under it ends what its earlier life left open. The client refuses to
    wait for an answer, or a delivery, for longer than a transaction may last."""
    if config.transaction_timeout_s is None:
        return {}
    timeout_ms = int(config.transaction_timeout_s * 1000)
    return {
        "transactional.id": f"{config.group}-{config.worker}",
        "transaction.timeout.ms": timeout_ms,
        "delivery.timeout.ms": min(int(config.produce_deadline_s * 1000), timeout_ms),
        "socket.timeout.ms": min(int(CONNECTION["socket.timeout.ms"]), timeout_ms),
        "enable.idempotence": True,
    }


def processor_consumer(config: ProcessorConfig) -> Settings:
    """The consumer of a processor."""
    own = {**consumer_defaults(config.protocol, config.session_timeout_s), "group.id": config.group}
    own |= {"group.instance.id": config.worker} if config.static_member else {}
    return _merged(config.bootstrap, config.worker, own, "consumer", config.consumer_config)


def share_consumer(config: ProcessorConfig) -> Settings:
    """The consumer of a share group's worker. Where the group begins is a setting of the group, not of this client."""
    own = share_defaults(config.acknowledgement) | {"group.id": config.group}
    return _merged(config.bootstrap, config.worker, own, "consumer", config.consumer_config)


def share_defaults(acknowledgement: str) -> Settings:
    """librdkafka's, with this mode of acknowledging."""
    return {**CONNECTION, "share.acknowledgement.mode": acknowledgement}


def consumer_defaults(protocol: str, session_timeout_s: float | None) -> Settings:
    """KIP-848 (`consumer`) takes session and assignor from the broker."""
    if protocol == "consumer":
        return {**CONNECTION, **CONSUMER, "group.protocol": "consumer"}
    session_s = session_timeout_s or CLASSIC_SESSION_S
    return {
        **CONNECTION,
        **CONSUMER,
        "partition.assignment.strategy": protocol,
        "session.timeout.ms": int(session_s * 1000),
        "heartbeat.interval.ms": int(session_s * 1000 / 6),
    }


def _merged(bootstrap: str, client_id: str, own: Settings, role: Role, overrides: Path | None) -> Settings:
    user = {} if overrides is None else _overrides(overrides, role)
    return {"bootstrap.servers": bootstrap, "client.id": client_id, **own, **user}


def _overrides(path: Path, role: Role) -> Settings:
    given, wrong = read_properties(path), []
    try:
        given = spelled(given)
        wrong = client_options.problems(role, given)
    except ValueError as error:
        wrong = [str(error)]
    if wrong:
        raise UsageError("\n".join(f"{path}: {problem}" for problem in wrong))
    return typed(given)


def typed(given: Mapping[str, str]) -> Settings:
    """Text as the client takes it: one setting is a truth value of Python's to it, and of a text it takes none."""
    return {name: value.lower() in TRUE if name == ONLY_ERRORS else value for name, value in given.items()}


def new_client(
    kind: Callable[..., Client], settings: Settings, logger: json_logs.Logger, **callbacks: Callable[..., None]
) -> Client:
    """A producer or consumer that logs through `logger`, and calls back while it is polled.

    Raises:
        UsageError: the client does not know a setting, or refuses its value.
    """
    try:
        return kind(settings, logger=json_logs.client_logger(logger), **callbacks)
    except REFUSALS as error:
        raise UsageError(
            f"Kafka client settings: {client_options.reason(error)}; see producer_config and consumer_config"
        ) from None
