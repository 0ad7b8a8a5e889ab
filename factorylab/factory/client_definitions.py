"""librdkafka's settings in the form in which files of settings are checked (`scenarios.configuration`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import confluent_kafka

from factorylab.factory import client_options
from factorylab.factory.client_options import ROW
from factorylab.scenarios.configuration.keys import Definitions, Key, Role


@cache
def librdkafka() -> Definitions:
    """Of the librdkafka that is installed. Its own constructor judges values, so that no rule for them stands here."""
    rows = [row.groupdict() for row in ROW.finditer(client_options.table())]
    roles: dict[Role, Mapping[str, Key]] = {
        "producer": _keys(rows, "P"), "consumer": _keys(rows, "C"), "admin": _keys(rows, ""),
    }  # fmt: skip
    return Definitions("librdkafka", confluent_kafka.libversion()[0], roles, refuses)


def _keys(rows: list[dict[str, str]], role: str) -> dict[str, Key]:
    """Of two rows with one name the first is that of the client, the other a topic's, which nobody uses any more."""
    fits = [row for row in reversed(rows) if row["roles"] in {"*", role}]
    return {row["name"]: Key(type=row["type"].strip(), default=row["default"]) for row in fits}


def refuses(role: Role, settings: Mapping[str, str]) -> list[str]:
    """Why librdkafka would not take these settings of a producer or consumer; empty if it does. Connects to nothing."""
    if role not in {"producer", "consumer"}:
        return []
    side: client_options.Role = "consumer" if role == "consumer" else "producer"
    wrong = client_options.problems(side, settings)
    refused = "" if wrong else client_options.refusal(side, settings)
    return wrong or [refused] * bool(refused)
