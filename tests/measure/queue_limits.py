"""Limits of share groups, asked of a lab: records that workers may hold of a partition, members, where a group begins.

    python -m tests.measure.queue_limits --kafka 4.3.1

locks    workers of one partition poll until they are given something, and acknowledge nothing; how many records they
         hold when nobody was given more for QUIET_S, by the size of the producer's batches
members  heartbeats of new members, without a consumer behind them, until one is refused
reset    a group whose first worker comes after OLD records: how many of them it was given by the time at which it was
         given a new one
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from confluent_kafka import Message, Producer, ShareConsumer
from kafka.errors import for_code
from kafka.protocol.api_message import ApiMessage

from factorylab.cluster.admin import Admin
from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.local.jars import folder_of
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import WaitTimeout
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS
from factorylab.core.waiting import wait_until
from factorylab.factory.client_errors import sorted_out
from factorylab.scenarios.model import Topology

RECORDS, OLD, WORKERS, QUIET_S, LONG_S = 5_000, 100, 16, 8.0, 60.0
EARLIEST = {"share.auto.offset.reset": "earliest"}
HEARTBEAT = ("ShareGroupHeartbeatRequest", "ShareGroupHeartbeatResponse")
MOST_MEMBERS = 1_001


def filled(admin: Admin, topic: str, records: int, batch: int = 10_000) -> None:
    admin.create_topics([topic], Topology(partitions=1, profile="safe"))
    own = {"batch.num.messages": batch, "linger.ms": 1000}  # full batches, and one that is not
    producer = Producer({"bootstrap.servers": admin.bootstrap, **own})
    for number in range(records):
        producer.produce(topic, str(number))
    if producer.flush(LONG_S):
        raise SystemExit("nothing was written: this shows nothing")


@contextmanager
def worker(admin: Admin, topic: str, group: str) -> Iterator[ShareConsumer]:
    own = {"bootstrap.servers": admin.bootstrap, "group.id": group, "share.acknowledgement.mode": "explicit"}
    made = ShareConsumer(own | {"log_level": 0})
    made.subscribe([topic])
    try:
        yield made
    finally:
        made.close()


def polled(one: ShareConsumer) -> list[Message]:
    return sorted_out(one.poll(0.1))[0]


def locks(admin: Admin, settings: dict[str, str], batch: int) -> str:
    """How many records of a partition workers hold that acknowledge nothing: each polls until it is given some."""
    topic = group = f"locks-{uuid4().hex[:8]}"
    filled(admin, topic, RECORDS, batch)
    try:
        admin.configure_group(group, EARLIEST | settings)
    except WaitTimeout as error:
        return f"refused: {error}"
    held: list[int] = []
    with ExitStack() as stack:
        idle = [stack.enter_context(worker(admin, topic, group)) for _ in range(WORKERS)]
        last = time.monotonic()
        while idle and (time.monotonic() - last < QUIET_S or not held):
            for one in list(idle):
                if given := polled(one):
                    held.append(len(given))
                    idle.remove(one)
                    last = time.monotonic()
        each = ", ".join(map(str, held))
        return f"{sum(held):,} of {RECORDS:,} held by {len(held)} of {WORKERS} workers, {each} each"


def reset(admin: Admin, settings: dict[str, str]) -> str:
    """Whether the first worker of a group is given what was there before it came."""
    topic = group = f"reset-{uuid4().hex[:8]}"
    filled(admin, topic, OLD)
    if settings:
        admin.configure_group(group, settings)
    producer, seen = Producer({"bootstrap.servers": admin.bootstrap}), set[int]()
    with worker(admin, topic, group) as one:

        def a_new_one() -> bool:
            producer.produce(topic, b"new")
            producer.poll(0)
            for message in polled(one):
                seen.add(int(message.offset() or 0))
                one.acknowledge(message)
            return any(offset >= OLD for offset in seen)

        wait_until(a_new_one, what="a new record", timeout_s=LONG_S)
    producer.flush(LONG_S)
    return f"{len([offset for offset in seen if offset < OLD])} of {OLD} old records were given"


def heartbeat_messages(kafka: Any, cache: Path, folder: Path) -> ModuleType:
    """Kafka's own descriptions of the two messages, out of its jar, as a package that kafka-python reads."""
    package = folder / "heartbeat_messages"
    package.mkdir()
    (package / "__init__.py").touch()
    with zipfile.ZipFile(folder_of(cache, kafka) / f"kafka-clients-{kafka}.jar") as jar:
        for name in HEARTBEAT:
            (package / f"{name}.json").write_bytes(jar.read(f"common/message/{name}.json"))
    sys.path.insert(0, str(folder))
    return __import__("heartbeat_messages")


def members(admin: Admin, messages: ModuleType) -> str:
    """How many members join a group before one is refused, and the error."""
    made = [type(ApiMessage)(name, (ApiMessage,), {}, load_json=messages) for name in HEARTBEAT]
    topic = group = f"members-{uuid4().hex[:8]}"
    filled(admin, topic, 1)
    coordinator = wait_until(lambda: admin.coordinator(group), what="a coordinator", timeout_s=LONG_S)
    with closing(BrokerLine(admin.bootstrap.split(",")[coordinator - 1], LONG_S)) as line:
        for joined in count():
            if joined == MOST_MEMBERS:
                return f"{joined:,} joined, and none was refused"
            join = {"group_id": group, "member_id": uuid4().hex, "member_epoch": 0, "subscribed_topic_names": [topic]}
            answer = line.ask(made[0](**join, rack_id=None))
            if answer.error_code:
                return f"{joined:,} joined; then {for_code(answer.error_code).__name__}: {answer.error_message}"
    raise AssertionError


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kafka", choices=KAFKA_VERSIONS, default=DEFAULT_KAFKA)
    kafka = words.parse_args().kafka
    limit = "share.partition.max.record.locks"
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(update={"home": Path(folder) / "lab"})
        messages = heartbeat_messages(kafka, settings.cache, Path(folder))
        with (
            LocalCluster.up(settings, kafka=kafka) as cluster,
            closing(Admin(cluster.endpoints.bootstrap, share_groups=True)) as admin,
        ):
            print(f"Kafka {kafka}, load {os.getloadavg()[0]:.1f}")
            for wanted in ({}, EARLIEST):
                print("reset", wanted or "default", reset(admin, wanted), sep="; ", flush=True)
            print("members", members(admin, messages), sep="; ", flush=True)
            for batch, value in ((1, ""), (1, "100"), (10_000, "100"), (10_000, ""), (1, "99"), (1, "10001")):
                told = locks(admin, {limit: value} if value else {}, batch)
                print("locks", f"batches of {batch}", value or "default", told, sep="; ", flush=True)


if __name__ == "__main__":
    main()
