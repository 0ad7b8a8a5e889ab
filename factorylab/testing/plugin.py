"""The pytest plugin: `kafka_cluster`, `postgres` and `topic`.

pytest imports this module at each start, in projects that use none of it as well: nothing is imported here that takes
time, and no hook looks at tests.
"""

from __future__ import annotations

import re
import secrets
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from factorylab.core.errors import LabError, UsageError

if TYPE_CHECKING:
    from factorylab.cluster.base import Progress
    from factorylab.testing.fresh_database import DatabaseUrl
    from factorylab.testing.kafka_cluster import KafkaCluster, Topic

MARK = "kafka_topic"
PARTITIONS, PROFILE, ISOLATED = "factorylab_partitions", "factorylab_profile", "factorylab_isolated"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(PARTITIONS, "partitions of the topics that the fixture 'topic' makes", default="3")
    parser.addini(PROFILE, "safe: 3 replicas, min ISR 2; factory: 2 replicas, min ISR 1", default="safe")
    parser.addini(ISOLATED, "give each broker a network of its own, for kafka_cluster.partition()", "bool", False)


def pytest_configure(config: pytest.Config) -> None:
    words = f"{MARK}(name, partitions, profile): what the fixture 'topic' makes for this test"
    config.addinivalue_line("markers", words)


@pytest.fixture(scope="session")
def kafka_cluster(pytestconfig: pytest.Config) -> Iterator[KafkaCluster]:
    """Three Kafka brokers and PostgreSQL, started once for the session, and how to break them.

    Each process of pytest-xdist has a lab of its own, so that the faults of one test hit no other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of kafka-python's import; here they may be errors
        from factorylab.cluster.settings import load_settings
        from factorylab.testing.opening import opened
    try:
        settings = load_settings()
        if worker := getattr(pytestconfig, "workerinput", {}).get("workerid"):
            settings = settings.model_copy(update={"home": settings.home / worker})
        cluster = opened(settings, pytestconfig.getini(ISOLATED), _progress(pytestconfig))
    except LabError as error:
        pytest.fail(str(error), pytrace=False)
    with closing(cluster):
        yield cluster


@pytest.fixture
def postgres(kafka_cluster: KafkaCluster) -> Iterator[DatabaseUrl]:
    """The URL of an empty database of the test's own, on the lab's PostgreSQL; dropped after the test."""
    from factorylab.testing.fresh_database import fresh_database

    with fresh_database(kafka_cluster.database_url) as url:
        yield url


@pytest.fixture
def topic(kafka_cluster: KafkaCluster, request: pytest.FixtureRequest) -> Iterator[Topic]:
    """The name of a new topic of the test's own, all of whose replicas are in sync; dropped after the test."""
    marker, config = request.node.get_closest_marker(MARK), request.config
    if marker and marker.args:
        raise UsageError(f"the marker {MARK} takes names: {MARK}(name={marker.args[0]!r})")
    own = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name)[:80].strip("-")
    usual = {"partitions": config.getini(PARTITIONS), "profile": config.getini(PROFILE)}
    given = {"name": f"{own}-{secrets.token_hex(3)}", **usual, **(marker.kwargs if marker else {})}
    with kafka_cluster.topic(**given) as made:
        yield made


def _progress(config: pytest.Config) -> Progress:
    """Says in the terminal what a start takes its time for; a process of pytest-xdist has none."""
    capture, terminal = (config.pluginmanager.getplugin(name) for name in ("capturemanager", "terminalreporter"))
    said: list[str] = []

    def say(what: str, _done: int, _total: int) -> None:
        if terminal and capture and what not in said:
            said.append(what)
            with capture.global_and_fixture_disabled():
                terminal.write_line(f"\nfactorylab: {what}")

    return say
