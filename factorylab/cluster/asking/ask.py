"""Ask a cluster what a run on it would need to know. Nothing is created, changed or deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka.errors import KafkaError
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import MetadataRequest

from factorylab.cluster.asking import privileges
from factorylab.cluster.asking.answers import Address, Answers, Privilege
from factorylab.cluster.asking.privileges import NEEDS, Held, Need, acl_lines
from factorylab.cluster.asking.reached import Tried, tried
from factorylab.cluster.asking.topics import topics_of
from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.login import Password
from factorylab.cluster.connection.tokens import claims
from factorylab.core.errors import EnvironmentUnfit
from factorylab.factory.client_options import reason

Say = Callable[[str], None]
LIBRDKAFKA_S = 15.0


def ask(connection: Connection, prefix: str, say: Say, needs: Sequence[Need] = NEEDS) -> Answers:
    """Everything, each question within seconds; of privileges `needs`. `say` is told what is asked just now.

    Raises:
        EnvironmentUnfit: a broker let one in, and then gave no answer to the next question.
    """
    say(f"connecting to {connection}")
    with ExitStack() as lines:
        first = [_kept(lines, one) for one in tried(connection, connection.bootstrap.split(","))]
        addresses = [Address(one.address, None, one.line is not None, one.why, one.took_s) for one in first]
        ends = connection.tls.expires() if connection.tls else None
        found = Answers(str(connection), prefix, addresses, certificate_ends=f"{ends:%F %T} UTC" if ends else None)
        line = next((one.line for one in first if one.line), None)
        if line is None:
            return msgspec.structs.replace(found, problems=_unreached(first, ends))
        try:
            return _inside(connection, found, line, lines, say, needs=needs)
        except (KafkaError, OSError) as error:
            raise EnvironmentUnfit(f"{connection}: the next question had no answer: {error!r}") from None


def _inside(
    connection: Connection, found: Answers, line: BrokerLine, lines: ExitStack, say: Say, *, needs: Sequence[Need]
) -> Answers:
    """What is found beyond the first broker that lets one in."""
    say("asking for brokers, topics and privileges")
    told = line.ask(MetadataRequest(topics=None, allow_auto_topic_creation=False))
    addresses = found.addresses + _advertised(lines, connection, told, found.addresses)
    held = privileges.ask(line, found.prefix, needs)
    say("connecting with the client of the workers (librdkafka)")
    return msgspec.structs.replace(
        found,
        addresses=addresses,
        cluster_id=told.cluster_id,
        kafka_version=_version(line),
        metadata_version=_metadata_version(line),
        privileges=[Privilege(o.need.kind, o.need.operation, o.need.purpose, o.held, o.why) for o in held],
        topics=topics_of(line, told, found.prefix),
        acls=acl_lines(
            (o.need for o in held if o.held is False), found.prefix, principal(connection), connection.bootstrap
        ),
        problems=_half(addresses) + _wrong(held) + _by_librdkafka(connection),
    )


def _kept(lines: ExitStack, one: Tried) -> Tried:
    if one.line:
        lines.callback(one.line.close)
    return one


def _advertised(lines: ExitStack, connection: Connection, told: Any, known: list[Address]) -> list[Address]:
    """The addresses that brokers tell their clients, each tried: it is those that clients work with."""
    numbers = {f"{one.host}:{one.port}": one.node_id for one in told.brokers}
    same = {one.address for one in known if one.reached}
    found = [_kept(lines, one) for one in tried(connection, [a for a in numbers if a not in same])]
    fresh = [Address(one.address, numbers[one.address], one.line is not None, one.why, one.took_s) for one in found]
    return fresh + [Address(a, n, reached=True, why="", took_s=0.0) for a, n in numbers.items() if a in same]


def _unreached(first: list[Tried], ends: datetime | None) -> list[str]:
    """Why nobody let one in, the same reason once."""
    reasons: dict[str, list[str]] = {}
    for one in first:
        reasons.setdefault(one.why, []).append(one.address)
    expired = ends is not None and ends < datetime.now(UTC)
    own = [f"your own certificate ended on {ends:%F %T} UTC: ask for a new one"] if expired else []
    return own + [f"{', '.join(where)}: {why}" for why, where in reasons.items()]


def _half(addresses: list[Address]) -> list[str]:
    found = []
    for one in addresses:
        if not one.reached and one.broker is None:
            found.append(f"{one.address} of bootstrap.servers is not reached: {one.why}")
        elif not one.reached:
            found.append(
                f"broker {one.broker} tells its clients to come to {one.address} (its advertised.listeners), and that "
                f"is not reached: {one.why}"
            )
    return found


def _wrong(held: list[Held]) -> list[str]:
    """Privileges that a run cannot do without, and what else a dry run was refused for."""
    found = []
    for told, words in ((False, "missing privileges"), (None, "not told, whether one has the privileges")):
        names = [one.need.words for one in held if one.held is told]
        found += [f"{words}: {', '.join(names)}"] * bool(names)
    create = next(one for one in held if one.need.operation == "Create")
    return found + ([f"a topic cannot be made: {create.why}"] if create.held and create.why else [])


def _by_librdkafka(connection: Connection) -> list[str]:
    """Whether the client of fleets and processors gets in as well: it is another implementation."""
    settings: dict[str, Any] = {**connection.client_settings(), "client.id": "factorylab-connect", "log_level": 0}
    client = AdminClient(settings, logger=logging.Logger("connect", logging.CRITICAL))
    try:
        client.list_topics(timeout=LIBRDKAFKA_S)
    except KafkaException as error:
        return [f"librdkafka, the client of fleets and processors, does not get in: {reason(error)}"]
    return []


def _version(line: BrokerLine) -> str:
    """The Kafka whose requests the broker knows: the newest that kafka-python can tell, so it may be a later one."""
    ranges = {key.api_key: (key.min_version, key.max_version) for key in line.known.api_keys}
    return ".".join(map(str, BrokerVersionData(api_versions=ranges).broker_version))


def _metadata_version(line: BrokerLine) -> int | None:
    levels = (one.max_version_level for one in line.known.finalized_features if one.name == "metadata.version")
    return next(levels, None)


def principal(connection: Connection) -> str:
    """What the cluster calls one, as far as the file tells: its own rules may make another name of it."""
    if isinstance(connection.login, Password):
        return f"User:{connection.login.user}"
    if connection.login and (who := claims(connection.login.token()[0]).get("sub")):
        return f"User:{who}"
    if connection.login is None and connection.tls and (own := connection.tls.subject()):
        return f"User:{own}"
    return "User:YOURS"
