"""A process by hand: what it lacks is said with the way out, and it goes on, or ends, as is right."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from factorylab.core.waiting import wait_until
from factorylab.factory.processor.missing_position import lost
from tests.support.factory_runs import LONG_S
from tests.support.labs import closed_port, shell


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


def test_without_an_answer_of_the_leader_nothing_is_proven() -> None:
    """Where no broker tells the ends of the log, an error proves no loss."""
    nobody = Consumer({"bootstrap.servers": f"127.0.0.1:{closed_port()}", "group.id": "none", "log_level": 0})
    with closing(nobody):
        error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "out of range")
        assert lost(nobody, TopicPartition("t", 0, 5), error) is None
