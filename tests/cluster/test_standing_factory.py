"""The factory that stands: its processes stay when a driver goes, and faults by hand reach them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from factorylab.cluster import boot, manage
from factorylab.cluster.backends import bring_up
from factorylab.cluster.driver import quiet
from factorylab.cluster.settings import Settings
from factorylab.core.waiting import wait_until
from factorylab.execution.shared_lab import SharedLab
from factorylab.operations import standing_factory
from tests.support.labs import shell

EVERYBODY = {"fleet-temperature", "fleet-vibration", "fleet-energy", "processor-a", "processor-b"}


@pytest.fixture(
    scope="module",
    params=["local", pytest.param("compose", marks=pytest.mark.compose)],
)
def home(request: pytest.FixtureRequest, labs_folder: Path, session_settings: Settings) -> Iterator[Path]:
    """The home of a lab with the standing factory that nobody drives."""
    where = labs_folder / f"standing-{request.param}"
    settings = session_settings.model_copy(update={"home": where, "backend": request.param})
    with SharedLab(settings, quiet):
        with bring_up(settings) as cluster:
            standing_factory.start(cluster, where)
        yield where


def stored(home: Path) -> int:
    with psycopg2.connect(boot.known(home).endpoints.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT sensor_id) FROM factory.readings")
        (rows, _) = cursor.fetchone() or (0, 0)
    connection.close()
    return int(rows)


def test_the_factory_works_on_when_its_driver_is_gone(home: Path) -> None:
    """A fleet for each kind of sensor and two processors run after the driver left, and readings go on being stored.
    Over 10 s: the first test to ask for this lab waits for its start."""
    running = {node.name for node in manage.look(home) if node.status == "running"}
    assert running >= EVERYBODY
    before = stored(home)
    wait_until(lambda: stored(home) > before, what="more readings", timeout_s=60, every_s=0.2)


def test_a_processor_of_it_is_killed_by_hand(home: Path) -> None:
    """`factorylab fault consumer kill` finds the owner of a partition, shows that it is dead, and it runs again.
    Over 10 s: the group waits for the session of the dead member."""
    command = [sys.executable, "-c", "from factorylab.cli.main import main; main()", "fault", "consumer", "kill"]
    env = shell() | {"FACTORYLAB_HOME": str(home), "FACTORYLAB_BACKEND": "auto"}
    words = [*command, "--target", "owner:sensor-data/0", "--hold", "2"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, " is dead" in done.stderr) == (0, True), done.stderr
    assert {node.name for node in manage.look(home) if node.status == "running"} >= EVERYBODY
