"""Settings of Kafka clients as users write them, before a client sees them: text, each once, none of the lab's own.

librdkafka has two names for some settings, and of two that are given the last one wins without a word. Here each has
one spelling, the one that the lab itself uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

SPELLINGS = {
    "metadata.broker.list": "bootstrap.servers",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "sasl.mechanism": "sasl.mechanisms",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "queue.buffering.max.ms": "linger.ms",
    "retries": "message.send.max.retries",
    "compression.codec": "compression.type",
    "request.required.acks": "acks",
    "message.timeout.ms": "delivery.timeout.ms",
    "auto.commit.enable": "enable.auto.commit",
}
"""Other names of a setting, and the one that is used here."""
FUNCTION = "is a function of the program, which cannot be given as text"
RESERVED = {
    "bootstrap.servers": "is the lab's own (of a process started by hand: FACTORYLAB_BOOTSTRAP)",
    "group.id": "is the lab's own (of a process started by hand: FACTORYLAB_GROUP)",
    "group.protocol": "is said by clients.protocol (of a process started by hand: FACTORYLAB_PROTOCOL)",
    "partition.assignment.strategy": "is said by clients.protocol (of a process started by hand: FACTORYLAB_PROTOCOL)",
    "session.timeout.ms": "is said by clients.session_timeout_s (of a process started by hand: "
    "FACTORYLAB_SESSION_TIMEOUT_S)",
    "transactional.id": "makes a client of transactions, which fleets and processors are not",
    "plugin.library.paths": "loads other code into the client, and what it did would be taken for the client's",
    "test.mock.num.brokers": "sends the readings to brokers that the client makes up",
    "default.topic.config": "is not a setting here: write its contents beside the others",
    "default_topic_conf": "is not a setting here: write its contents beside the others",
    **dict.fromkeys(("logger", "on_delivery", "on_commit", "oauth_cb", "partitioner_callback"), FUNCTION),
    **dict.fromkeys((f"{side}.{way}" for side in ("key", "value") for way in ("serializer", "deserializer")), FUNCTION),
}
"""Settings that nobody may give, and why."""
TRUE = {"true", "t", "1"}
ONLY_ERRORS = "delivery.report.only.error"


def as_text(value: object) -> object:
    """A number or truth value as a client reads it; what is neither, text included, as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else f"{value:.17g}" if "e" in repr(value) else repr(value)
    return str(value) if isinstance(value, int) else value


def spelled(given: Mapping[str, str]) -> dict[str, str]:
    """The settings in this module's spelling.

    Raises:
        ValueError: a setting is there under two names, or is none that may be given; all such are named.
    """
    names: dict[str, str] = {}
    problems = []
    for name, value in given.items():
        one = SPELLINGS.get(name, name)
        if one in names:
            problems.append(f"{names[one]} and {name} are the same setting: leave one of them out")
        names[one] = name
        if reason := _reserved(one, value):
            problems.append(f"{name} {reason}: leave it out")
    if problems:
        raise ValueError("; ".join(problems))
    return {one: given[name] for one, name in names.items()}


def _reserved(name: str, value: str) -> str:
    if name == ONLY_ERRORS and value.lower() in TRUE:
        return "keeps acknowledgements back, and without them nothing counts as acked"
    if name.endswith("_cb"):
        return FUNCTION
    return RESERVED.get(name, "")
