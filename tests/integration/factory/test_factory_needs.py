"""A process by hand: what it lacks is said with the way out, and it goes on, or ends, as is right."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from psycopg2 import sql
from pydantic import SecretStr

from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.waiting import wait_until
from factorylab.factory.processor.missing_position import lost
from tests.support.factory_runs import LONG_S, FactoryRun, factory_run
from tests.support.labs import shell
from tests.unit.factory.test_factory_units import wire


@pytest.fixture
def run(cluster: LocalCluster, tmp_path: Path) -> Iterator[FactoryRun]:
    """A factory of the test's own on the shared cluster."""
    with factory_run(cluster.endpoints, tmp_path) as factory:
        yield factory


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# ---- without a cluster


@pytest.mark.parametrize(
    ("module", "said"), [("fleet", "look at FACTORYLAB_BOOTSTRAP"), ("processor", "look at FACTORYLAB_DATABASE_URL")]
)
def test_who_finds_nobody_says_so_and_stops_when_told(module: str, said: str, tmp_path: Path) -> None:
    """Without brokers a fleet, without a database a processor says which variable to look at, and ends on SIGTERM."""
    nowhere = f"127.0.0.1:{closed_port()}"
    env = {
        "FACTORYLAB_WORKER": "w",
        "FACTORYLAB_BOOTSTRAP": nowhere,
        "FACTORYLAB_DATABASE_URL": f"postgresql://u:secret@{nowhere}/d",
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", f"factorylab.factory.{module}"], env=shell() | env, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: said in log.read_text(), what=said, timeout_s=LONG_S, last_seen=log.read_text)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_S) == 0
    finally:
        process.kill()
        process.wait()
    assert "secret" not in log.read_text() and "Traceback" not in log.read_text()


def test_a_client_that_waits_tells_its_log_as_it_comes(tmp_path: Path) -> None:
    """While brokers are away the client's lines come with their own times; none is kept until the stop, nor counted
    as a reading without an answer."""
    env = {"FACTORYLAB_WORKER": "w", "FACTORYLAB_BOOTSTRAP": f"127.0.0.1:{closed_port()}"}
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "factorylab.factory.fleet"], env=shell() | env, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: "Connection refused" in log.read_text(), what="a line of the client", timeout_s=LONG_S)
        wait_until(lambda: log.read_text().count('"waiting"') > 1, what="another look", timeout_s=LONG_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_S) == 0
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (stopping,) = (line for line in lines if line["event"] == "stopping")
    told = {line["timestamp"] for line in lines if line["event"] == "kafka_client"}
    assert stopping["waiting_for"] == 0
    assert min(told) < max(line["timestamp"] for line in lines if line["event"] == "waiting")


def test_a_database_that_is_no_address_is_refused() -> None:
    """An address of another form ends with exit code 2 and the form, without the password in it."""
    env = {
        "FACTORYLAB_WORKER": "w",
        "FACTORYLAB_BOOTSTRAP": "a:1",
        "FACTORYLAB_DATABASE_URL": "postgres:/u:secret@h/d",
    }
    command = [sys.executable, "-m", "factorylab.factory.processor"]
    done = subprocess.run(command, env=shell() | env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "postgresql://user:password@host" in done.stderr
    assert "secret" not in done.stderr + done.stdout


class Ends:
    """A consumer that knows the ends of a log, or raises."""

    def __init__(self, first: int, end: int) -> None:
        self._ends = first, end

    def get_watermark_offsets(self, _at: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        return self._ends


@pytest.mark.parametrize(
    ("position", "text", "proves"),
    [
        (9, "out of range", True),
        (10, "out of range", False),
        (20, "out of range", False),
        (21, "out of range", True),
        (15, "Partition log truncation detected at 15: broker end offset is 12. Reset to INVALID.", True),
        (0, "out of range", False),
    ],
)
def test_only_a_position_outside_the_log_is_lost(position: int, text: str, proves: bool) -> None:
    """In a log from 10 to 20 a position from 10 to 20 is none that is lost, unless the log was cut off below it."""
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, text)
    found = lost(Ends(10, 20), TopicPartition("t", 1, position), error)  # type: ignore[arg-type]
    assert bool(found) == proves
    if found:
        assert "next_offset = 10 WHERE topic = 't' AND partition = 1" in found.explain("s")
    other = KafkaError(KafkaError._TRANSPORT, text)
    assert lost(Ends(10, 20), TopicPartition("t", 1, position), other) is None  # type: ignore[arg-type]


def test_without_an_answer_of_the_leader_nothing_is_proven() -> None:
    """Where no broker tells the ends of the log, an error proves no loss."""
    nobody = Consumer({"bootstrap.servers": f"127.0.0.1:{closed_port()}", "group.id": "none", "log_level": 0})
    with closing(nobody):
        error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "out of range")
        assert lost(nobody, TopicPartition("t", 0, 5), error) is None


# ---- on a cluster


@pytest.mark.cluster
def test_a_fleet_waits_for_its_topic(run: FactoryRun) -> None:
    """A fleet without its topic names it and the way out, and offers its readings once the topic is there."""
    run.launch_fleet("f0", rate="100", sensors=3, sensor_topic="not.yet")
    run.wait_logged("f0", "no topic not.yet: create it, or name another (FACTORYLAB_SENSOR_TOPIC")
    assert run.logged("f0", "ready") == 0
    run.create_topics("not.yet")
    run.wait_logged("f0", '"event": "ready"')
    assert run.end("f0") == 0


@pytest.mark.cluster
def test_a_processor_waits_for_its_topics(run: FactoryRun) -> None:
    """A processor names each topic that is missing, and works once they are there."""
    run.launch_processor("p0", alert_topic="no.alerts", dead_letter_topic="no.letters")
    run.wait_logged("p0", "no topic no.alerts, no.letters: create it")
    run.create_topics("no.alerts", "no.letters")
    run.wait_logged("p0", '"event": "ready"')
    assert run.end("p0") == 0


@contextmanager
def account(run: FactoryRun) -> Iterator[str]:
    """The database's URL for an account that may do nothing but connect."""
    url = run.endpoints.database_url
    name = f"poor_{run.names.schema}"
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            role = sql.Identifier(name)
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'poor'").format(role))
            try:
                yield f"postgresql://{name}:poor@{url.rpartition('@')[2]}"
            finally:
                cursor.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.cluster
def test_a_processor_that_may_not_create_its_tables_ends(run: FactoryRun) -> None:
    """Tables that are missing and cannot be created, or are there and forbidden, end a processor with exit code 5."""
    with account(run) as url:
        for schema in ("not_there", run.names.schema):
            run.launch_processor("p0", database_url=SecretStr(url), db_schema=schema)
            assert run.processes["p0"].wait(LONG_S) == 5
            assert "permission denied" in run.said("p0") and "GRANT CREATE ON DATABASE" in run.said("p0")
            assert "Traceback" not in run.said("p0")


@pytest.mark.cluster
@pytest.mark.parametrize("how", ["retention", "truncation"])
def test_a_position_that_left_the_log_stops_the_processor(run: FactoryRun, how: str) -> None:
    """Where the log no longer holds the stored position the processor ends with exit code 1 and an event and stores
    nothing of that partition; it goes on where somebody has set the position, by the statement that it gave."""
    run.processor("p0")
    run.produce([wire(seq=n, sensor_id="one") for n in range(200)])
    run.wait_drained()
    assert run.end("p0") == 0
    ((partition, position),) = ((p, at) for p, at in run.positions().items() if at)
    run.produce([wire(seq=n, sensor_id="one") for n in range(200, 300)])
    if how == "retention":
        run.delete_records({partition: position + 40})
    else:  # as if the log had been longer before
        run.query("UPDATE {s}.positions SET next_offset = 5000 WHERE next_offset > 0 RETURNING 1")
    before = run.stored(), run.positions()
    run.launch_processor("p0")
    assert run.processes["p0"].wait(LONG_S) == 1
    assert (run.stored(), run.positions()) == before
    ((event,),) = run.query("SELECT detail FROM {s}.system_events WHERE kind = 'position_lost'")
    assert isinstance(event, dict)
    found = event["partition"], event["position"], event["end"]
    assert found == (partition, before[1][partition], position + 100)
    _, _, way_out = run.said("p0").rpartition("start the processors again: ")
    run.query(way_out.partition('"')[0] + " RETURNING 1")
    run.processor("p0")
    run.wait_drained()
    assert run.end("p0") == 0
    assert run.stored() == (260 if how == "retention" else 300)
