"""A test suite of somebody else against a real cluster."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2

from factorylab.cluster import boot, manage
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import INFRASTRUCTURE
from tests.support.labs import LabOfTests
from tests.support.own_suite import run

SUITE = """
import time
from contextlib import closing

import psycopg2
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient

from factorylab.testing import Deliveries, assert_delivery

ORDERS = 300


def send(bootstrap, topic):
    producer, sent = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True}), Deliveries()
    for number in range(ORDERS):
        key, value = f"customer-{number % 7}", f"order {number}"
        producer.produce(topic, value, key, on_delivery=sent.of(value, key))
    assert producer.flush(60) == 0
    return sent


def store(bootstrap, topic, url):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "billing", "auto.offset.reset": "earliest",
                         "enable.auto.commit": False})
    with closing(consumer), closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (number serial, value text)")
        consumer.subscribe([topic])
        ends_s, stored = time.monotonic() + 60, 0
        while stored < ORDERS and time.monotonic() < ends_s:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                cursor.execute("INSERT INTO orders (value) VALUES (%s)", [message.value().decode()])
                stored += 1
        database.commit()
        consumer.commit(asynchronous=False)
        cursor.execute("SELECT value FROM orders ORDER BY number")
        return [value for value, in cursor.fetchall()]


def test_orders_outlive_the_leader(kafka_cluster, topic, postgres):
    with kafka_cluster.kill(f"leader:{topic}/0") as killed:
        sent = send(kafka_cluster.bootstrap, topic)
    stored = store(kafka_cluster.bootstrap, topic, postgres)
    print(killed)
    print(assert_delivery(sent, topic, received=stored, group="billing", identity=lambda key, value: value.decode()))


def test_with_a_loss(topic):
    sent = Deliveries()
    sent.of("never sent", "customer-1")(None, Message(partition=0, offset=99))
    assert_delivery(sent, topic)


def test_that_fails_under_a_fault(kafka_cluster):
    with kafka_cluster.pause("controller"):
        assert False, "on purpose"


def test_of_what_is_left(kafka_cluster):
    for broker in kafka_cluster.bootstrap.split(","):
        assert len(AdminClient({"bootstrap.servers": broker}).list_topics(timeout=10).brokers) == 3


def test_with_a_slip_of_the_pen(kafka_cluster, topic):
    with kafka_cluster.kill(f"leader:{topic}"):
        pass
"""
PASSED = {"test_orders_outlive_the_leader", "test_of_what_is_left"}


def test_a_suite_of_somebody_else_breaks_and_finds_a_whole_lab(lab_of_tests: LabOfTests, tmp_path: Path) -> None:
    """Its tests send under a fault, and the audit judges log and table; a loss, a failure under a fault and a wrong
    target fail with their reason; then the lab is whole, and nothing of the suite is left in it. Over 10 s: a broker
    is killed, another one frozen, and each comes back into sync."""
    with lab_of_tests.lent() as home:
        ended = run(tmp_path, SUITE, home)
        nodes, endpoints = manage.look(home), boot.known_endpoints(home)
        with closing(Admin(endpoints.bootstrap)) as admin, closing(psycopg2.connect(endpoints.database_url)) as line:
            with line.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'")
                databases = cursor.fetchall()
            topics = {name for name in admin.topics() if name.startswith("test_")}
    assert {name for name, word in ended.outcomes.items() if word == "PASSED"} == PASSED, ended.said
    assert len(ended.outcomes) == 5 and "300 acknowledged; 0 unknown" in ended.said
    assert "FAIL          lost_in_log: Every acknowledged record is in the log. 1 of 1" in ended.said
    assert "e.g. key customer-1 seq 0, partition 0 offset 99, acknowledged, not in the log" in ended.said
    assert "is no target: take leader:TOPIC/PARTITION" in ended.said and "on purpose" in ended.said
    mine = {node.name: node.status for node in nodes if node.role in INFRASTRUCTURE}  # workers are of earlier tests
    assert (len(mine), set(mine.values()), topics, databases) == (4, {"running"}, set(), [])
    assert endpoints.database_url not in ended.said
