"""Labs on Docker as their users meet them: interrupted while they start, two beside each other, and through their
published ports by clients that know nothing of the lab."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from factorylab.cluster import control, manage
from factorylab.cluster.docker import engine, images, projects
from factorylab.cluster.docker.compose import ComposeCluster, project_of
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.waiting import wait_until
from tests.support.docker_labs import NODES, of_project, wait_nothing_of, wait_status
from tests.support.drivers import command, driver
from tests.support.labs import shell
from tests.support.small_engine import small_engine

RECORDS = 200
SMALL_MB = 2_200  # for the four images, their copy while they are loaded, and next to nothing else


def containers(home: Path) -> dict[str, str]:
    with closing(engine.connect()) as client:
        return projects.containers(client, project_of(home))


MOMENTS: dict[str, Callable[[Path], object]] = {
    "at once": lambda home: (home / "lock").exists(),
    "creating": of_project,
    "not ready": lambda home: len(containers(home)) == len(NODES),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_start_leaves_nothing(labs_folder: Path, tmp_path: Path, moment: str) -> None:
    """Ctrl-C at any moment of `factorylab up` ends it with exit code 130 and one last line, and nothing of the lab is
    left: no container, network, volume or process. Over 10 s: a lab of its own starts and ends."""
    home, log = labs_folder / f"interrupted-{moment.replace(' ', '-')}", tmp_path / "up.log"
    env = shell() | {"FACTORYLAB_HOME": str(home), "FACTORYLAB_BACKEND": "compose"}
    with driver(command("up"), env, log, reached="") as process:
        wait_until(lambda: MOMENTS[moment](home), what=moment, timeout_s=90)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(90) == 130, log.read_text()
    said = log.read_text()
    assert "Traceback" not in said and said.splitlines()[-1].startswith("interrupted"), said
    wait_nothing_of(home)


@pytest.fixture(scope="module")
def two(labs_folder: Path, session_settings: Settings) -> Iterator[tuple[ComposeCluster, ComposeCluster]]:
    """Two labs of one engine."""
    one, other = (
        session_settings.model_copy(update={"home": labs_folder / f"beside-{n}", "backend": "compose"}) for n in (1, 2)
    )
    with ComposeCluster.up(one) as first, ComposeCluster.up(other) as second:
        yield first, second
    for settings in (one, other):
        wait_nothing_of(settings.home)


def test_two_labs_stand_beside_each_other(two: tuple[ComposeCluster, ComposeCluster]) -> None:
    """A fault and its healing in one lab changes nothing in the other, whose addresses and ports are its own. Over 10
    s: two labs of its own start."""
    first, second = two
    ports = [set(lab.endpoints.bootstrap.split(",")) for lab in two]
    assert not ports[0] & ports[1]
    assert len({node.address for lab in two for node in control.nodes(lab.home)}) == 2 * len(NODES)
    first.inject(1, "broker-1", "kill")
    first.inject(2, "broker-2", "pause")
    wait_status(first, "broker-1", "dead")
    assert [node.status for node in manage.look(second.home)] == ["running"] * 4
    assert second.heal() == []
    assert first.status("broker-2") == "paused"
    assert first.heal() == ["started broker-1", "resumed broker-2"]
    wait_status(first, "broker-1", "running")


@pytest.mark.parametrize("replicas", [2, 3])
def test_foreign_clients_work_while_the_bootstrap_broker_is_dead(
    two: tuple[ComposeCluster, ComposeCluster], replicas: int
) -> None:
    """Clients of another make write and read all through the published ports of the living brokers, and the database
    answers at its own, while the first broker of the list is dead. Over 10 s: a dead broker's session, and its
    start."""
    lab, topic = two[1], f"foreign-{replicas}"
    servers = lab.endpoints.bootstrap.split(",")
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.create_topics([NewTopic(topic, 3, replicas)])
    lab.inject(1, "broker-1", "kill")
    wait_status(lab, "broker-1", "dead")
    try:
        with closing(KafkaProducer(bootstrap_servers=servers, acks="all", retries=20)) as producer:
            sent = [producer.send(topic, b"%d" % number) for number in range(RECORDS)]
            places = {(at.partition, at.offset) for at in (future.get(60) for future in sent)}
        assert len(places) == RECORDS
        assert read(servers, topic) == {b"%d" % number for number in range(RECORDS)}
        with closing(psycopg2.connect(lab.endpoints.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    finally:
        lab.heal()
        wait_status(lab, "broker-1", "running")


def read(servers: list[str], topic: str) -> set[bytes]:
    """All values of a topic, as a consumer of its own group finds them."""
    found: list[bytes] = []
    with closing(
        KafkaConsumer(topic, bootstrap_servers=servers, group_id=f"of-{topic}", auto_offset_reset="earliest")
    ) as consumer:
        deadline = time.monotonic() + 90
        while len(found) < RECORDS and time.monotonic() < deadline:
            found += [r.value for records in consumer.poll(timeout_ms=500).values() for r in records]
    assert len(found) == RECORDS
    return set(found)


def test_an_engine_without_room_is_named(
    labs_folder: Path, session_settings: Settings, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where the engine's disk is full, a start ends with that reason and the way out, and leaves nothing there. Over 10
    s: an engine of its own loads the images."""
    if os.geteuid() != 0:
        pytest.skip("only root starts a second engine")
    settings = session_settings.model_copy(update={"home": labs_folder / "no-room", "backend": "compose"})
    # A short name: the path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="engine-") as folder, small_engine(Path(folder), SMALL_MB) as small:
        small.take(list(images.chosen().values()))
        small.fill()
        monkeypatch.setenv("DOCKER_HOST", small.address)
        with pytest.raises(EnvironmentUnfit, match=r"no space left on device.*make room.*docker system prune"):
            ComposeCluster.up(settings)
        wait_nothing_of(settings.home)
