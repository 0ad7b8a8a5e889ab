"""A real isolated lab: programs of this host and workers inside use it alike, and a partition is one to Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka import Consumer, Producer

from factorylab.cluster.admin import Admin
from factorylab.cluster.backends import bring_up
from factorylab.cluster.base import Cut, WorkerSpec
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.scenarios.model import Topology
from tests.support.isolation import trouble
from tests.support.labs import shell, wait_said
from tests.support.peers import PEERS_OF_1

RECORDS = 2_000
LONG_S = 90
"""No test waits so long when it passes."""
CLIENTS = """
import os, psycopg2, sys, time
from confluent_kafka import Consumer
with psycopg2.connect(os.environ["DATABASE"]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT inet_client_addr()")
    print("database sees", cursor.fetchone()[0], flush=True)
consumer = Consumer({"bootstrap.servers": os.environ["BOOTSTRAP"], "group.id": "inside",
                     "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([os.environ["TOPIC"]])
seen = 0
while seen < int(os.environ["RECORDS"]):
    seen += sum(message.error() is None for message in consumer.consume(500, 1))
print("read all", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def lab(labs_folder: Path, session_settings: Settings) -> Iterator[LocalCluster]:
    """An isolated lab of this module's own, with topics."""
    if why := trouble():
        pytest.skip(why)
    home = labs_folder / "getrennt, ü=1"
    with LocalCluster.up(session_settings.model_copy(update={"home": home}), needs=("network",)) as cluster:
        with closing(Admin(cluster.endpoints.bootstrap)) as admin:
            admin.create_topics(Names.of().topics, Topology(profile="safe"))
            admin.wait_full_isr(Names.of().sensors, LONG_S)
        yield cluster


def produce(bootstrap: str) -> int:
    """Records to every partition, each confirmed by all in-sync replicas; how many were confirmed."""
    confirmed = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
    for number in range(RECORDS):
        producer.produce(Names.of().sensors, str(number).encode(), partition=number % 3,
                         on_delivery=lambda error, message: confirmed.append(error))  # fmt: skip
        producer.poll(0)
    assert producer.flush(LONG_S) == 0
    return sum(error is None for error in confirmed)


def read(bootstrap: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "outside", "auto.offset.reset": "earliest"})
    with closing(consumer):
        consumer.subscribe([Names.of().sensors])
        seen = 0

        def all_there() -> bool:
            nonlocal seen
            seen += sum(message.error() is None for message in consumer.consume(500, 1))
            return seen >= RECORDS

        wait_until(all_there, what=f"{RECORDS} records", timeout_s=LONG_S)
    return seen


def test_both_sides_use_it(lab: LocalCluster, tmp_path: Path) -> None:
    """Clients of this host produce, read and query through the forwarded ports; a worker inside reads the same.
    Over 10 s: the first to ask for the isolated lab waits for its start."""
    assert produce(lab.endpoints.bootstrap) == read(lab.endpoints.bootstrap) == RECORDS
    with closing(psycopg2.connect(lab.endpoints.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    inner = lab.worker_endpoints
    given = {"BOOTSTRAP": inner.bootstrap, "DATABASE": inner.database_url, "TOPIC": Names.of().sensors}
    (tmp_path / "clients.py").write_text(CLIENTS)
    env = given | {"RECORDS": str(RECORDS), "PYTHONPATH": f"{tmp_path}:{shell()['PYTHONPATH']}"}
    lab.start([WorkerSpec("processor-0", "processor", "clients", env, tmp_path / "processor-0.log")])
    wait_said(tmp_path / "processor-0.log", "database sees 10.77.0.")
    wait_said(tmp_path / "processor-0.log", "read all")
    lab.stop(["processor-0"])


def test_an_isolated_broker_is_out_of_step(lab: LocalCluster) -> None:
    """A broker cut from the others loses its place in the ISR of the others' view while it still answers this host, the
    partitions it led take writes at a new leader, and after the heal all replicas are in sync again. Over 10 s: a
    broker's session ends, and its replicas come back."""
    topic = Names.of().sensors
    with closing(Admin(lab.endpoints.bootstrap)) as admin:
        admin.elect_preferred()
    lab.inject(1, "broker-1", "partition", Cut())
    try:
        assert {(link.source, link.target) for link in lab.reach() if not link.ok} == PEERS_OF_1
        with (
            closing(OneBroker(lab.endpoints.bootstrap, 2)) as second,
            closing(OneBroker(lab.endpoints.bootstrap, 1)) as first,
        ):
            wait_until(
                lambda: all(1 not in view.isr and view.leader in {2, 3} for view in second.partitions(topic)),
                what="broker 1 to be out of every ISR", timeout_s=LONG_S,
                last_seen=lambda: str(second.partitions(topic)),
            )  # fmt: skip
            assert any(view.leader == 1 for view in first.partitions(topic))  # its own, stale, belief
        assert produce(",".join(lab.endpoints.bootstrap.split(",")[1:])) == RECORDS
    finally:
        assert lab.heal(1) == ["lifted the cut of broker-1"]
    assert all(link.ok for link in lab.reach())
    with closing(Admin(lab.endpoints.bootstrap)) as admin:
        admin.wait_full_isr(topic, LONG_S)


def test_a_plain_lab_is_not_taken_for_an_isolated_one(cluster: LocalCluster, session_settings: Settings) -> None:
    """Asking for an isolated lab where a plain one is up is refused with the way out."""
    with pytest.raises(EnvironmentUnfit, match="up --isolated"):
        bring_up(session_settings, isolated=True)
    assert "partition" not in cluster.can and cluster.reach() == []
