"""Settings of a file as a scenario of the lab takes them: librdkafka's names, with what is in force where it counts.

The lab's clients are librdkafka's. So of a Java client's settings those are carried over that librdkafka has as well,
or has under another name; what it has not is named, and where that decides the outcome the file cannot be carried over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from factorylab.scenarios.client_settings import RESERVED
from factorylab.scenarios.configuration.effective import NotGiven, Side
from factorylab.scenarios.configuration.keys import Role

BOTH = {name: name for name in ("retry.backoff.ms", "retry.backoff.max.ms", "reconnect.backoff.ms",
                                "reconnect.backoff.max.ms")}  # fmt: skip
SILENCE = {"socket.timeout.ms": "request.timeout.ms", "topic.metadata.refresh.interval.ms": "metadata.max.age.ms"}
"""How long a client waits for a silent broker, and how often it asks for metadata: librdkafka's name, and Java's."""
CARRIED: Mapping[Role, Mapping[str, str]] = {
    "producer": BOTH | SILENCE | {
        "acks": "acks", "enable.idempotence": "enable.idempotence", "message.send.max.retries": "retries",
        "max.in.flight.requests.per.connection": "max.in.flight.requests.per.connection",
        "delivery.timeout.ms": "delivery.timeout.ms", "linger.ms": "linger.ms", "compression.type": "compression.type",
    },
    "consumer": BOTH | SILENCE | {
        "enable.auto.commit": "enable.auto.commit", "auto.commit.interval.ms": "auto.commit.interval.ms",
        "auto.offset.reset": "auto.offset.reset", "isolation.level": "isolation.level",
        "max.poll.interval.ms": "max.poll.interval.ms", "heartbeat.interval.ms": "heartbeat.interval.ms",
    },
}  # fmt: skip
"""Of each role the settings that decide what happens, under librdkafka's name, and Java's."""
OF_LIBRDKAFKA = {"enable.auto.offset.store"}
WORDS = {"auto.offset.reset": {"none": "error"}}
BY_THE_LAB = frozenset({"group.id", "session.timeout.ms"})
"""What a scenario says with keys of its own."""


class Carried(NamedTuple):
    """`settings` by librdkafka's names; `left_out`: keys of the file that the lab's client has not, or may not have."""

    settings: dict[str, str]
    left_out: list[str]


def carried_over(side: Side) -> Carried:
    """The settings in force that decide, and all others of a file of librdkafka.

    Raises:
        ValueError: one that decides the outcome cannot be carried over; the message names it and why.
    """
    _refuse(side)
    names = dict(CARRIED[side.file.role])
    settings = {ours: _value(side, ours, theirs) for ours, theirs in names.items()}
    taken = set(names.values()) if side.java else set(names)
    others = {name: entry for name, entry in side.file.given.items() if name not in taken | BY_THE_LAB}
    passed = {name: entry.value.strip() for name, entry in others.items() if not side.java and name not in RESERVED}
    if not side.java and side.file.role == "consumer":
        settings |= {name: side.get(name).text for name in sorted(OF_LIBRDKAFKA)}
    return Carried(settings | passed, [entry.key for name, entry in others.items() if name not in passed])


def _value(side: Side, ours: str, theirs: str) -> str:
    try:
        text = side.get(theirs if side.java else ours).text
    except NotGiven as missing:
        raise ValueError(str(missing)) from None
    if side.java and theirs == "auto.offset.reset" and text not in {"earliest", "latest", "none"}:
        raise ValueError(f"{theirs}={text}: librdkafka has no such value")
    return WORDS.get(ours, {}).get(text, text)


def _refuse(side: Side) -> None:
    """What would make another client of it."""
    if side.given("transactional.id"):
        raise ValueError("transactional.id: the lab's clients use no transactions")
    if side.file.role == "consumer" and side.protocol == "consumer":
        raise ValueError("group.protocol=consumer: the controls' groups are classic")
    if side.given("group.instance.id"):
        raise ValueError("group.instance.id: the controls' members are not static")
    if side.java and side.file.role == "consumer" and side.get("enable.auto.commit").true:
        raise ValueError("enable.auto.commit=true: Java's client commits in poll(), the lab's at any time")
