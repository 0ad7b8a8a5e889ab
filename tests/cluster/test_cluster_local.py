"""The real thing: three Kafka brokers and PostgreSQL as processes of one lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy.engine import make_url

from factorylab.cluster import control, driver, manage, ready
from factorylab.cluster.base import WorkerSpec
from factorylab.cluster.local import postgres
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.errors import LabBusy, LabError, StartFailed, UsageError
from factorylab.core.waiting import wait_until
from tests.support.labs import kill, left_of, listening, shell, wait_nothing_left, wait_said, wait_status

NODES = ["broker-1", "broker-2", "broker-3", "database"]
DRIVER = """
import sys, time
from pathlib import Path
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import load_settings

lab = LocalCluster.up(load_settings().model_copy(update={"home": Path(sys.argv[1])}), keep="keep" in sys.argv)
lab.inject(1, "broker-2", "pause")
lab.inject(2, "broker-3", "kill")
print("reached", flush=True)
time.sleep(600)
"""


def ports_of(lab: LocalCluster) -> list[int]:
    """Every port of a lab: clients' and quorum ports of the brokers, and the database's."""
    first = int(lab.endpoints.broker(1).rpartition(":")[2])
    return list(range(first, first + 7))


def query(url: str, sql: str) -> object:
    """The one value that a query gives."""
    place = make_url(url)
    connection = psycopg2.connect(
        host=place.host, port=place.port, user=place.username, password=place.password, dbname=place.database
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (value,) = cursor.fetchone()
    connection.close()
    return value


def faulty_driver(home: Path, *words: str) -> subprocess.Popen[str]:
    """A driver in a process of its own, in the middle of two faults."""
    command = [sys.executable, "-c", DRIVER, str(home), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=shell())
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "reached\n":
        kill(process)
    assert said == "reached\n"
    return process


def test_every_broker_names_all_brokers(cluster):
    """Each of the three, asked itself, knows three members, and all nodes run."""
    assert [ready.members_seen_by(cluster.endpoints.broker(number)) for number in (1, 2, 3)] == [3, 3, 3]
    assert [node.name for node in cluster.nodes() if node.role in {"broker", "database"}] == NODES
    assert {cluster.status(name) for name in NODES} == {"running"}


def test_nothing_listens_beyond_loopback(cluster):
    """Every listening socket of the lab's processes has a loopback address."""
    import psutil

    pids = [node.pid for node in cluster.nodes()] + [control.living_state(cluster.home).supervisor.pid]
    addresses = {
        c.laddr.ip.removeprefix("::ffff:")
        for pid in pids
        for c in psutil.Process(pid).net_connections("tcp")
        if c.status == "LISTEN"
    }
    assert addresses
    assert all(address.startswith("127.") for address in addresses)


@pytest.mark.parametrize(("action", "status"), [("kill", "dead"), ("pause", "paused"), ("terminate", "dead")])
def test_a_broken_broker_heals_to_full_membership(cluster, action, status):
    """After each kind of fault the operating system confirms it, and healing ends in three members seen by all. Over 10
    s: a broker starts again and joins."""
    cluster.inject(9, "broker-2", action)
    wait_until(lambda: cluster.status("broker-2") == status, what=f"broker-2 to be {status}", timeout_s=30)
    done = cluster.heal(9)
    assert done == [f"{'resumed' if action == 'pause' else 'started'} broker-2"]
    ready.wait_ready(cluster.home, cluster.endpoints)
    assert cluster.status("broker-2") == "running"
    assert cluster.heal() == []


def test_the_new_group_protocol_works(cluster):
    """A consumer with group.protocol=consumer gets its partitions: the cluster has the release's features."""
    admin = AdminClient({"bootstrap.servers": cluster.endpoints.bootstrap})
    admin.create_topics([NewTopic("kip848", 2, 3)])["kip848"].result(30)
    assigned: list[int] = []
    consumer = Consumer(
        {"bootstrap.servers": cluster.endpoints.bootstrap, "group.id": "kip848", "group.protocol": "consumer"}
    )
    consumer.subscribe(["kip848"], on_assign=lambda _, parts: assigned.extend(p.partition for p in parts))
    wait_until(lambda: consumer.poll(0.1) or assigned, what="an assignment", timeout_s=60)
    consumer.close()
    admin.delete_topics(["kip848"])["kip848"].result(30)
    assert sorted(assigned) == [0, 1]


def test_an_unknown_topic_is_not_made_up(cluster):
    """Topics are created by the lab only, never by a client that mistypes one."""
    admin = AdminClient({"bootstrap.servers": cluster.endpoints.bootstrap})
    for _ in range(2):  # where topics are made up, the first question makes it and the second finds it
        error = admin.list_topics("no-such-topic", timeout=10).topics["no-such-topic"].error
        assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_the_database_asks_for_the_password(cluster):
    """The right password opens the database, whose fsync is on; another one does not."""
    url = cluster.endpoints.database_url
    assert query(url, "SHOW fsync") == "on"
    assert query(url, "SHOW listen_addresses") == "127.0.0.1"
    wrong = make_url(url).set(password="guessed").render_as_string(hide_password=False)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        query(wrong, "SELECT 1")
    assert oct((cluster.home / "endpoints.json").stat().st_mode & 0o777) == "0o600"
    assert make_url(url).password not in repr(cluster.endpoints)


def test_broker_logs_are_evidence(cluster):
    """Each broker's log tells of its start, and a driver knows where its own time begins."""
    files = {file.node: file for file in cluster.log_files()}
    assert sorted(files) == sorted([*NODES, "supervisor"])
    assert "Kafka Server started" in files["broker-1"].path.read_text()
    assert all(0 <= file.start <= file.path.stat().st_size for file in files.values())


def test_workers_start_and_stop(cluster, tmp_path):
    """A worker runs its module with its environment and its log until it is stopped; its exit code is told."""
    code = "import os, time\nprint(os.environ['GREETING'], flush=True)\ntime.sleep(600)"
    (tmp_path / "greeter.py").write_text(code)
    log = tmp_path / "fleet-7.log"
    cluster.start([WorkerSpec("fleet-7", "fleet", "greeter", {"GREETING": "hi", "PYTHONPATH": str(tmp_path)}, log)])
    wait_said(log, "hi")
    assert cluster.status("fleet-7") == "running"
    assert cluster.exit_code("fleet-7") is None
    assert cluster.stop(["fleet-7"]) == {"fleet-7": -signal.SIGTERM}
    assert cluster.status("fleet-7") == "dead"


def test_a_worker_that_cannot_start_is_reported(cluster, tmp_path, monkeypatch):
    """A worker of the factory whose program is broken fails the start with its own words; an unknown one is refused."""
    monkeypatch.setattr(driver, "WATCH_S", 60)
    broken = WorkerSpec("fleet-8", "fleet", "no_such_module", {}, tmp_path / "fleet-8.log")
    with pytest.raises(StartFailed, match="No module named no_such_module"):
        cluster.start_factory([broken])
    with pytest.raises(UsageError, match="no node 'fleet-99'"):
        cluster.exit_code("fleet-99")


def test_one_driver_at_a_time(cluster, session_settings):
    """A second run on the same folder is refused and told who uses it."""
    with pytest.raises(LabBusy, match=f"process {os.getpid()}"):
        LocalCluster.up(session_settings)
    with pytest.raises(LabBusy, match=f"process {os.getpid()}"):
        manage.down(session_settings.home)


def test_two_labs_do_not_disturb_each_other(cluster, session_settings, home):
    """A second lab has ports of its own, and the first stays whole when the second one's supervisor is SIGKILLed.

    The second lab's folder is closed to others, so that as root its PostgreSQL needs a user namespace.
    """
    home.chmod(0o700)
    with LocalCluster.up(session_settings.model_copy(update={"home": home})) as other:
        used = ports_of(other)
        assert not set(used) & set(ports_of(cluster))
        assert listening(used) == used
        os.kill(control.living_state(home).supervisor.pid, signal.SIGKILL)
        wait_nothing_left(home)
    wait_until(lambda: not listening(used), what="the kernel to close a killed lab's ports", timeout_s=30)
    assert [ready.members_seen_by(cluster.endpoints.broker(number)) for number in (1, 2, 3)] == [3, 3, 3]
    assert listening(ports_of(cluster)) == ports_of(cluster)


def test_a_killed_driver_in_mid_fault_leaves_nothing(home):
    """SIGKILL of a driver with one broker paused and one dead ends in no process, and `down` has nothing to do."""
    process = faulty_driver(home)
    process.kill()
    process.communicate()
    wait_nothing_left(home)
    assert manage.down(home) == []


def test_a_kept_lab_is_whole_after_its_driver_was_killed(home, session_settings):
    """A kept lab outlives its driver, is healed, takes the next driver, and ends with `down`. Over 10 s: a lab of its
    own starts, and a broker again."""
    process = faulty_driver(home, "keep")
    before = {node.name: node.pid for node in control.nodes(home)}
    process.kill()
    process.communicate()
    for name in NODES:
        wait_status(home, name, "running")
    lab = LocalCluster.up(session_settings.model_copy(update={"home": home}))
    assert lab.was_up
    assert [ready.members_seen_by(lab.endpoints.broker(number)) for number in (1, 2, 3)] == [3, 3, 3]
    assert {node.name: node.pid for node in lab.nodes()}["broker-1"] == before["broker-1"]
    used = ports_of(lab)
    lab.close()
    assert [seen.status for seen in manage.look(home)] == ["running"] * 4
    assert manage.down(home) == NODES
    assert left_of(home) == []
    assert listening(used) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")
def test_root_gives_its_rights_up(labs_folder):
    """As root, PostgreSQL gets an unprivileged account, and a user namespace where that account cannot come."""
    with tempfile.TemporaryDirectory(dir=labs_folder) as closed:  # mode 700
        shut = postgres.prepare(postgres.find(None), Path(closed) / "database")
        assert (shut.user, shut.prefix[0]) == (None, "unshare")
        Path(closed).chmod(0o755)
        opened = postgres.prepare(postgres.find(None), Path(closed) / "another")
        assert (opened.user, opened.prefix) in {(postgres.NOBODY, ()), (None, shut.prefix)}
        opened.initialise("secret")
        assert (opened.folder / "data").stat().st_uid == (opened.user or 0)
        assert not (opened.folder / "password").exists()


def test_a_start_that_fails_says_why_and_leaves_nothing(home, session_settings, monkeypatch):
    """A broker that dies while starting ends the attempt with its last log lines and no process."""
    from factorylab.cluster.local import kafka_config

    monkeypatch.setitem(kafka_config.COMMON, "num.io.threads", "none")
    with pytest.raises(LabError, match=r"broker-\d ended with exit code 1[\s\S]*num\.io\.threads"):
        LocalCluster.up(session_settings.model_copy(update={"home": home}))
    wait_nothing_left(home)  # the guard ends a moment after its supervisor
