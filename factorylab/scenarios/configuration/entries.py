"""One key of a file: its one spelling, and what it is to the program that reads the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from factorylab.core.sources import Property
from factorylab.scenarios.client_settings import SPELLINGS
from factorylab.scenarios.configuration.key_names import nearest
from factorylab.scenarios.configuration.keys import Client, Definitions, Role
from factorylab.scenarios.configuration.not_needed import (
    OF_OLDER,
    OF_OLDER_BROKERS,
    of_another_library,
    why_not_needed,
)

Standing = Literal["used", "not needed", "another role's", "another client's", "an older version's", "unknown"]
REFERENCE = re.compile(r"\$\{[^}]*\}")
"""A value that stands elsewhere: `${env:ACKS}`."""


@dataclass(frozen=True)
class Entry:
    """One setting of a file. `name` is its one spelling, `why` what its standing means, in words."""

    key: str
    name: str
    value: str
    line: int
    standing: Standing
    why: str = ""


def entry_of(one: Property, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]) -> Entry:
    name = SPELLINGS.get(one.key, one.key) if definitions.client == "librdkafka" else one.key
    standing, why = _standing(one.key, role, definitions, known)
    return Entry(one.key, name, one.value, one.line, standing, why)


def _standing(
    key: str, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]
) -> tuple[Standing, str]:
    here, elsewhere = key in definitions.keys(role), role != "broker" and key in definitions.names
    why = why_not_needed(key, of_broker=role == "broker")
    if (here or elsewhere) and why:
        return "not needed", why
    if here:
        return "used", ""
    if elsewhere:
        return "another role's", f"is no setting of a {role}, which ignores it with a warning"
    return _unknown(key, role, definitions, known)


def _unknown(
    key: str, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]
) -> tuple[Standing, str]:
    """What this program does not define."""
    java = definitions.client == "java"
    if of_another_library(key):
        return "not needed", "belongs to another library, which is not looked at"
    older = OF_OLDER_BROKERS if role == "broker" else OF_OLDER
    if java and key in older:
        return "an older version's", f"is no setting of Kafka {definitions.version} any more (now {older[key]})"
    other = known["librdkafka" if java else "java"]
    if role != "broker" and key in other.names:
        return "another client's", f"is a setting of {other.client} alone"
    return "unknown", nearest(key, definitions.keys(role))
