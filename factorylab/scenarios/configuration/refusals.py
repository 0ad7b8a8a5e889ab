"""Settings that are right each by itself, and with which a client does not start, or gets nothing done, all the same.

Those of Java's client were tried with the constructors of kafka-clients 4.3.1. librdkafka is asked itself, and only
what it leaves to the brokers stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from factorylab.scenarios.configuration.effective import MOST_IN_FLIGHT, NotGiven, Side
from factorylab.scenarios.configuration.keys import Client, Role
from factorylab.scenarios.configuration.settings_file import Problem

IN_FLIGHT = "max.in.flight.requests.per.connection"


class Refusal(NamedTuple):
    """`when` it refuses, and `rule`: what must hold, with the way out."""

    role: Role
    when: Callable[[Side], bool]
    rule: str
    client: Client = "java"


def _explicit(side: Side, name: str = "enable.idempotence") -> bool:
    return side.given(name) and side.get(name).true


def _not_declined(side: Side) -> bool:
    return not side.given("enable.idempotence") or side.get("enable.idempotence").true


def _too_short(side: Side) -> bool:
    needed = side.get("linger.ms").number + side.get("request.timeout.ms").number
    return side.get("delivery.timeout.ms").number < needed


def _of_the_broker(name: str) -> Refusal:
    rule = f"{name} cannot be set with group.protocol=consumer: the brokers decide it; leave it out"
    return Refusal("consumer", lambda s: s.protocol == "consumer" and s.given(name), rule)


REFUSALS = (
    Refusal("producer", lambda s: _explicit(s) and s.acks != "all", "enable.idempotence=true needs acks=all"),
    Refusal(
        "producer",
        lambda s: _explicit(s) and s.get("retries").number == 0,
        "enable.idempotence=true needs retries above 0: leave retries out",
    ),
    Refusal(
        "producer",
        lambda s: _not_declined(s) and s.get(IN_FLIGHT).number > MOST_IN_FLIGHT,
        f"unless enable.idempotence=false is set, {IN_FLIGHT} must be {MOST_IN_FLIGHT} at most, also with acks=1",
    ),
    Refusal(
        "producer",
        lambda s: s.given("delivery.timeout.ms") and _too_short(s),
        "delivery.timeout.ms must be at least linger.ms + request.timeout.ms",
    ),
    Refusal(
        "producer",
        lambda s: s.given("transactional.id") and not s.get("enable.idempotence").true,
        "transactional.id needs idempotence: acks=all, retries above 0, and no enable.idempotence=false",
    ),
    Refusal(
        "producer",
        lambda s: _explicit(s, "transaction.two.phase.commit.enable") and s.given("transaction.timeout.ms"),
        "transaction.timeout.ms cannot be set with transaction.two.phase.commit.enable=true",
    ),
    *(_of_the_broker(n) for n in ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")),
    Refusal(
        "consumer",
        lambda s: s.protocol == "classic" and s.given("group.remote.assignor"),
        "group.remote.assignor needs group.protocol=consumer",
    ),
    Refusal(
        "consumer",
        lambda s: s.protocol == "classic" and _heartbeats_too_late(s),
        "heartbeat.interval.ms must be below session.timeout.ms, a third of it at most by Kafka's advice",
    ),
    Refusal(
        "consumer",
        lambda s: _explicit(s, "enable.auto.commit") and not s.given("group.id"),
        "enable.auto.commit=true needs a group.id",
    ),
    Refusal(
        "consumer",
        lambda s: s.given("group.id") and not s.get("group.id").text,
        "group.id must not be empty: leave it out, or name the group",
    ),
    Refusal(
        "producer",
        lambda s: s.acks not in {"all", "1", "0"},
        "brokers take acks of all (-1), 1 and 0 alone, and refuse every record with another",
        "librdkafka",
    ),
)


def _heartbeats_too_late(side: Side) -> bool:
    return side.get("heartbeat.interval.ms").number >= side.get("session.timeout.ms").number


def refused(side: Side) -> list[Problem]:
    """Why the client would not work with these settings together."""
    whose = side.file.role, side.file.definitions.client
    asked = [one for one in REFUSALS if (one.role, one.client) == whose] if side.file.starts else []
    return [Problem(None, f"the client does not work so: {one.rule}", stops=True) for one in asked if _holds(one, side)]


def _holds(one: Refusal, side: Side) -> bool:
    try:
        return one.when(side)
    except NotGiven:
        return False  # a value that stands elsewhere is not judged
