"""A lab that a batch keeps up from run to run, and its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url

from factorylab.cluster import manage
from factorylab.cluster.admin import Admin
from factorylab.cluster.driver import quiet
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.errors import LabBusy
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.execution import shared_lab
from factorylab.factory.store.schema import create_schema
from factorylab.scenarios.model import Topology
from tests.support.labs import shell, wait_nothing_left

HOLDER = """
import sys, time
from pathlib import Path
from factorylab.cluster.driver import quiet
from factorylab.execution.shared_lab import SharedLab
from factorylab.cluster.settings import load_settings

with SharedLab(load_settings().model_copy(update={"home": Path(sys.argv[1])}), quiet):
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with an open shared lab in `home`."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=shell()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_drivers_come_and_go_and_the_lab_ends_with_its_holder(
    holder: subprocess.Popen[str], home: Path, session_settings: Settings
) -> None:
    """Drivers take turns in a held lab, a second holder is refused, and a SIGKILLed holder leaves nothing behind. Over
    10 s: a lab of its own starts."""
    settings = session_settings.model_copy(update={"home": home})
    first = LocalCluster.up(settings)
    first.inject(1, "broker-2", "pause")
    first.close()
    assert [node.name for node in manage.look(home) if node.status != "running"] == []
    with pytest.raises(LabBusy, match="a batch uses this lab"):
        shared_lab.SharedLab(settings, quiet)
    with LocalCluster.up(settings) as second:
        assert second.was_up
        holder.kill()
        holder.wait()
        assert second.status("broker-1") == "running"  # the driver's lease still counts
    wait_nothing_left(home)


def test_what_a_run_left_is_dropped(cluster: LocalCluster, admin: Admin) -> None:
    """`forget` removes a run's topics and tables, those of other runs stay, and a second call does nothing."""
    mine, other = Names.of("abc123"), Names.of("def456")
    url = cluster.endpoints.database_url
    for names in (mine, other, mine):
        admin.create_topics(names.topics, Topology())
        create_schema(url, names.schema)
    for _ in range(2):
        shared_lab.forget(cluster.endpoints, "abc123")
    wait_until(lambda: not admin.topics() & set(mine.topics), what="every broker to know", timeout_s=30)
    assert admin.topics() >= set(other.topics)
    schemas = inspect(create_engine(make_url(url).set(drivername="postgresql+psycopg2"))).get_schema_names()
    assert {mine.schema, other.schema} & set(schemas) == {other.schema}
    shared_lab.forget(cluster.endpoints, "def456")
