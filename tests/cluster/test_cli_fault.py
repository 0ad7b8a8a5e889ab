"""`factorylab fault` on a lab that is up: evidence, healing, and faults without a victim."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from factorylab.cluster import boot, manage
from factorylab.cluster.driver import quiet
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.waiting import wait_until
from factorylab.execution.setup import create_topics_and_tables
from factorylab.execution.shared_lab import SharedLab
from factorylab.scenarios.model import Topology
from tests.support.drivers import COMMAND, typed
from tests.support.labs import shell


@pytest.fixture(scope="module")
def standing(labs_folder: Path, session_settings: Settings) -> Iterator[Path]:
    """The home of a lab with the factory's topics that nobody drives."""
    settings = session_settings.model_copy(update={"home": labs_folder / "by-hand"})
    with SharedLab(settings, quiet):
        with LocalCluster.up(settings) as cluster:
            create_topics_and_tables(cluster.endpoints, Topology())
        yield settings.home


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("broker", "pause", "--target", "leader:sensor-data/0"), "is paused"),
        (("broker", "restart", "--target", "controller"), ", no longer "),
        (("broker", "slow", "--target", "broker:1"), "of a CPU over"),
        (("database", "kill"), "database is dead"),
    ],
)
def test_a_fault_by_hand_shows_its_evidence_and_heals(standing: Path, words: tuple[str, ...], told: str) -> None:
    """It says what the role resolved to, the evidence, and that all is in sync again; then every node runs. Over 10 s:
    three seconds of fault and the replicas' way back, by a command."""
    code, said = typed(standing, *words, "--hold", "3")
    assert (code, told in said, "healed: every replica of sensor-data is in sync" in said) == (0, True, True), said
    assert {node.name: node.status for node in manage.look(standing) if node.status != "running"} == {}


@pytest.mark.parametrize(
    ("words", "ends", "told"),
    [
        (("consumer", "kill"), 1, "nobody in sensor-processors owns partition 0"),
        (("network", "partition"), 5, "cannot partition: its nodes share this host's network"),
        (
            ("broker", "kill", "--target", "leader:nowhere/0"),
            2,
            "this lab has no topic 'nowhere'; it has: alerts",
        ),
    ],
)
def test_a_fault_without_a_victim_says_so(standing: Path, words: tuple[str, ...], ends: int, told: str) -> None:
    """A role that nobody plays, a topic that is not there and a fault that this lab cannot do end with the reason."""
    code, said = typed(standing, *words, "--hold", "1")
    assert (code, told in said) == (ends, True), said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_fault_by_hand_is_healed_when_its_command_ends(standing: Path, number: signal.Signals) -> None:
    """Ctrl-C, and even a SIGKILL, in mid-fault leave every node running and the lab up; who was only interrupted has
    written the healing down."""
    env = shell() | {"FACTORYLAB_HOME": str(standing)}
    words = [*COMMAND, "broker", "pause", "--target", "broker:2", "--hold", "300"]
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: status(standing, "broker-2") == "paused", what="broker-2 to be paused", timeout_s=60)
        os.kill(process.pid, number)
        said = process.communicate(timeout=120)[1]
    wait_until(lambda: status(standing, "broker-2") == "running", what="broker-2 to run", timeout_s=30)
    if number == signal.SIGINT:
        assert "healed: broker-2 is running" in said and "interrupted; the lab was healed and left up" in said
        assert newest_event(standing) == ("fault_healed", "broker-2")


def newest_event(home: Path) -> tuple[str, str]:
    """Kind and node of the newest row of `system_events`."""
    with closing(psycopg2.connect(boot.known_endpoints(home).database_url)) as line, line.cursor() as cursor:
        cursor.execute("SELECT kind, detail ->> 'node' FROM factory.system_events ORDER BY at DESC LIMIT 1")
        kind, node = cursor.fetchone() or ("", "")
    return kind, node


def status(home: Path, name: str) -> str:
    return {node.name: node.status for node in manage.look(home)}[name]
