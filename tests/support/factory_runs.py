"""A factory of a test: topics, tables and processes of its own on the shared cluster, and where its records went."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from factorylab.cluster.base import Endpoints
from factorylab.core import messages
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.execution.alert_replay import AlertReplay
from factorylab.factory.config import FactoryConfig, FleetConfig, ProcessorConfig
from factorylab.factory.store.schema import create_schema
from tests.support.places import ROOT

PARTITIONS = range(3)
PIECE = 777  # records
LONG_S = 90.0  # no test waits so long when it passes
SESSION_S = 6.0  # the least that a broker allows by default


@dataclass
class FactoryRun:
    """Names, processes and questions. `folder` takes journals and logs."""

    endpoints: Endpoints
    folder: Path
    names: Names = field(default_factory=lambda: Names.of(secrets.token_hex(3)))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _log_starts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = client_config(self.endpoints.bootstrap, "test")
        nowhere = {"group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error"}
        self._admin, self._looker = AdminClient(settings), Consumer(settings | nowhere)
        self.create_topics(*self.names.topics)
        create_schema(self.endpoints.database_url, self.names.schema)

    def create_topics(self, *names: str) -> None:
        topics = [NewTopic(name, len(PARTITIONS), 3, config={"min.insync.replicas": "2"}) for name in names]
        for created in self._admin.create_topics(topics).values():
            created.result(LONG_S)

    def delete_records(self, before: Mapping[int, int]) -> None:
        """Take the records below an offset of each partition away, as retention does."""
        at = [TopicPartition(self.names.sensors, partition, offset) for partition, offset in before.items()]
        for deleted in self._admin.delete_records(at).values():
            deleted.result(LONG_S)

    # ---- processes

    def processor(self, worker: str, **given: object) -> None:
        """Start a processor and wait until it has its first assignment."""
        self.launch_processor(worker, **given)
        self.wait_logged(worker, '"event": "ready"')

    def launch_processor(self, worker: str, program: str = "", **given: object) -> None:
        """Start a processor, whose death its group notices soon; `program` is Python that runs in its place."""
        known = {
            "session_timeout_s": None if given.get("protocol") == "consumer" else SESSION_S,
            "bootstrap": self.endpoints.bootstrap,
            "database_url": SecretStr(self.endpoints.database_url),
            "db_schema": self.names.schema,
            "sensor_topic": self.names.sensors,
            "alert_topic": self.names.alerts,
            "dead_letter_topic": self.names.dead_letters,
            "group": self.names.group,
            "worker": worker,
            "journal_dir": self.folder,
        }
        words = ["-c", program] if program else ["-m", "factorylab.factory.processor"]
        self._launch(words, ProcessorConfig.model_validate(known | given))

    def fleet(self, worker: str, **given: object) -> None:
        """Start a fleet and wait for its first acknowledged reading."""
        self.launch_fleet(worker, **given)
        self.wait_logged(worker, '"event": "ready"')

    def launch_fleet(self, worker: str, **given: object) -> None:
        """Start a fleet."""
        known = {
            "bootstrap": self.endpoints.bootstrap,
            "sensor_topic": self.names.sensors,
            "label_topic": self.names.labels,
            "worker": worker,
            "journal_dir": self.folder,
        }
        self._launch(["-m", "factorylab.factory.fleet"], FleetConfig.model_validate(known | given))

    def _launch(self, words: list[str], config: FactoryConfig) -> None:
        path = self._log(config.worker)
        self._log_starts[config.worker] = path.stat().st_size if path.exists() else 0
        with path.open("ab") as log:
            self.processes[config.worker] = subprocess.Popen(
                [sys.executable, *words], env=os.environ | config.environ(), stdout=log, stderr=log, cwd=ROOT
            )

    def _log(self, worker: str) -> Path:
        return self.folder / f"{worker}.log"

    def wait_logged(self, worker: str, text: str) -> None:
        """Until the log of a worker's present life holds `text`."""
        wait_until(
            lambda: text in self.said(worker),
            what=f"{worker} to say {text}",
            timeout_s=LONG_S,
            last_seen=lambda: self.said(worker)[-2000:],
        )

    def said(self, worker: str) -> str:
        """The log of a worker's present life."""
        return self._log(worker).read_bytes()[self._log_starts[worker] :].decode()

    def logged(self, worker: str, event: str) -> int:
        """How often a worker has logged an event."""
        return self._log(worker).read_text().count(f'"event": "{event}"')

    def send(self, worker: str, number: signal.Signals) -> None:
        self.processes[worker].send_signal(number)

    def end(self, worker: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a worker and wait for its exit code."""
        self.send(worker, number)
        return self.processes[worker].wait(LONG_S)

    def close(self) -> None:
        """No process stays."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self._looker.close()

    # ---- questions

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a query, none of another statement; {s} is the schema."""
        url = self.endpoints.database_url.replace("+psycopg2", "")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement.format(s=self.names.schema))
            return cursor.fetchall() if cursor.description else []

    def positions(self) -> dict[int, int]:
        return dict(self.query("SELECT partition, next_offset FROM {s}.positions"))  # type: ignore[arg-type]

    def stored(self) -> int:
        return int(self.query("SELECT count(*) FROM {s}.readings")[0][0])  # type: ignore[call-overload]

    def wait_stored(self, at_least: int) -> None:
        """Until so many readings are stored."""
        wait_until(
            lambda: self.stored() >= at_least, what=f"{at_least} stored readings", timeout_s=LONG_S,
            last_seen=lambda: f"{self.stored()} at {self.positions()}, ends {self.ends()}",
        )  # fmt: skip

    def ends(self, topic: str = "") -> dict[int, int]:
        """End of each partition of a topic, of the sensors' by default."""
        at = [TopicPartition(topic or self.names.sensors, p) for p in PARTITIONS]
        return {one.partition: self._looker.get_watermark_offsets(one, LONG_S)[1] for one in at}

    def members(self) -> set[str]:
        """Client ids of the group's members."""
        described = self._admin.describe_consumer_groups([self.names.group])[self.names.group].result(LONG_S)
        return {member.client_id for member in described.members}

    def drained(self) -> bool:
        """The store has reached the end of the log."""
        return all(self.positions().get(p, 0) >= end for p, end in self.ends().items())

    def wait_drained(self) -> None:
        """Until the store has reached the end of the log."""
        wait_until(
            self.drained,
            what="the store to reach the end of the log",
            timeout_s=LONG_S,
            last_seen=lambda: f"{self.positions()} of {self.ends()}",
        )

    def produce(self, records: list[tuple[bytes | None, bytes | None]], **settings: str) -> None:
        """Put records into the log as they are."""
        producer = Producer(
            client_config(self.endpoints.bootstrap, "test") | {"message.max.bytes": 1_048_000, **settings}
        )
        failed: list[object] = []
        for key, value in records:
            producer.produce(
                self.names.sensors, value, key, on_delivery=lambda error, _: failed.append(error) if error else None
            )
        assert producer.flush(LONG_S) == 0
        assert failed == []

    def read(self, topic: str) -> list[Message]:
        """All records of a topic, by a consumer outside any group."""
        ends = self.ends(topic)
        consumer = self._looker
        consumer.assign([TopicPartition(topic, p, 0) for p in PARTITIONS])
        found: list[Message] = []
        wait_until(
            lambda: (found.extend(consumer.consume(10_000, 0.1)), len(found) >= sum(ends.values()))[1],
            what=f"{ends} of {topic}",
            timeout_s=LONG_S,
        )
        consumer.unassign()
        assert all(message.error() is None for message in found)
        return found


def client_config(bootstrap: str, client_id: str) -> dict[str, str | int | float | bool]:
    """Settings of the test's own clients."""
    return {"bootstrap.servers": bootstrap, "client.id": client_id, "log_level": 0}


@contextmanager
def factory_run(endpoints: Endpoints, folder: Path) -> Iterator[FactoryRun]:
    """A factory that is gone afterwards."""
    run = FactoryRun(endpoints, folder)
    try:
        yield run
    finally:
        run.close()


def replay(log: list[Message]) -> Counter[str]:
    """The alerts of one uninterrupted pass over a log, in pieces of a size of its own (no size changes an alert)."""
    in_order = sorted(log, key=lambda m: (m.partition(), m.offset()))
    one_pass = AlertReplay()
    pieces = (in_order[at : at + PIECE] for at in range(0, len(in_order), PIECE))
    return Counter(alert.alert_id for piece in pieces for alert in one_pass.feed(piece))


def assert_stored_once(run: FactoryRun) -> None:
    """Every reading of the log is stored once, where it was, and the alerts of both sinks are those of a replay."""
    log = run.read(run.names.sensors)
    where: Mapping[tuple[object, ...], int] = Counter((m.partition(), m.offset()) for m in log)
    rows = Counter(run.query("SELECT partition, record_offset FROM {s}.readings"))
    assert rows == where
    expected = replay(log)
    assert expected
    assert max(expected.values()) == 1
    table = Counter(str(row[0]) for row in run.query("SELECT alert_id FROM {s}.alerts"))
    assert table == expected
    topic = {messages.decode_alert(m.value() or b"").alert_id for m in run.read(run.names.alerts)}
    assert topic == set(expected)
