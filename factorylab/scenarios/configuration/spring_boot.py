"""Spring Boot's `application.properties`: the settings of a producer and of a consumer in it, by the clients' names.

Spring Boot writes `spring.kafka.producer.batch-size=32KB` where the client has `batch.size=32768`, in small letters
with dashes or in camel case; what stands behind `properties.` is the client's as it is. Beyond the file Spring sets one
thing that decides about records: since 2.3 its listener containers switch the automatic commit off unless the file has
it (Spring for Apache Kafka, GH-945).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from factorylab.core.sources import Property
from factorylab.scenarios.configuration.keys import Role

NAME = "Spring Boot"
PREFIX, PLAIN = "spring.kafka.", "properties."
ROLES: tuple[Role, ...] = ("producer", "consumer")
NAMES: Mapping[str, str] = {
    "auto-commit-interval": "auto.commit.interval.ms",
    "fetch-max-wait": "fetch.max.wait.ms",
    "fetch-min-size": "fetch.min.bytes",
    "heartbeat-interval": "heartbeat.interval.ms",
    "max-poll-interval": "max.poll.interval.ms",
    "transaction-id-prefix": "transactional.id",
}
"""Where the client's name is another than Spring's with dots for dashes."""
UNITS: Mapping[str, float] = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SIZES: Mapping[str, float] = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
OF_SIZE = {"batch.size", "buffer.memory", "fetch.min.bytes"}
LOGIN = re.compile(r"(ssl|security|jaas)\..*")


def is_one(properties: Sequence[Property]) -> bool:
    return any(one.key.startswith(PREFIX) for one in properties)


def clients(properties: Sequence[Property]) -> dict[Role, list[Property]]:
    """The settings of each role that the file has settings of, by the clients' names."""
    roles = [role for role in ROLES if any(_of(one, role) for one in properties)]
    return {role: [its for one in properties if (its := _of(one, role) or _of_both(one))] for role in roles}


def others(properties: Sequence[Property]) -> list[Property]:
    """What is no setting of a client: the application's and the framework's own, and how to log in."""
    return [one for one in properties if not any(_of(one, role) for role in ROLES) and not _of_both(one)]


def _of(one: Property, role: Role) -> Property | None:
    section = f"{PREFIX}{role}."
    return _translated(one, one.key.removeprefix(section)) if one.key.startswith(section) else None


def _of_both(one: Property) -> Property | None:
    """`spring.kafka.properties.…`, which every client gets."""
    section = PREFIX + PLAIN
    return replace(one, key=one.key.removeprefix(section)) if one.key.startswith(section) else None


def _translated(one: Property, name: str) -> Property | None:
    """The client's setting; None where it says how to log in."""
    if name.startswith(PLAIN):
        return replace(one, key=name.removeprefix(PLAIN))
    dashed = re.sub(r"(?<=[a-z])([A-Z])", r"-\1", name).lower()
    if LOGIN.fullmatch(dashed):
        return None
    key = NAMES.get(dashed, dashed.replace("-", "."))
    units = UNITS if key.endswith(".ms") else SIZES if key in OF_SIZE else {}
    return replace(one, key=key, value=_in_plain_digits(one.value, units))


def _in_plain_digits(value: str, units: Mapping[str, float]) -> str:
    """`32KB` and `5s` as the client gets them; what is none of these as it is."""
    found = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", value)
    factor = units.get(found[2]) if found else None
    return f"{int(found[1]) * factor:.0f}" if found and factor else value
