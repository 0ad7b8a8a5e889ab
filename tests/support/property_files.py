"""Files of settings for tests of `factorylab check`: sets as people have them, and files that a test writes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from factorylab.factory.client_definitions import librdkafka
from factorylab.scenarios.configuration.checking import Named, check
from factorylab.scenarios.configuration.keys import Client, Definitions, Role, kafka
from factorylab.scenarios.configuration.report import Report
from tests.support.places import ROOT

SETS = ROOT / "tests/unit/scenarios/configuration/sets"
JAVA, OTHER = "key.serializer=x\n", "socket.keepalive.enable=true\n"
"""A line that tells whose names a file has, and nothing else: Java's (of a producer), librdkafka's."""


@cache
def known() -> dict[Client, Definitions]:
    """What both clients define."""
    return {"java": kafka(), "librdkafka": librdkafka()}


def report_of(folder: Path, *files: tuple[Role, str], client: Client | None = None) -> Report:
    """The check of files with these contents, written to `folder` as 0.properties, 1.properties, …"""
    named = []
    for number, (role, text) in enumerate(files):
        path = folder / f"{number}.properties"
        path.write_text(text, encoding="utf-8")
        named.append(Named(path, role))
    return check(named, client, known())


def report_of_set(*names: str) -> Report:
    """The check of sets by name; their keys tell whose they are."""
    return check([Named(SETS / f"{name}.properties") for name in names], None, known())
