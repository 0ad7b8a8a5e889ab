"""A consumer that stands still once between commit and write, or between write and commit, until it is killed.

    python hanging_consumer.py commit|write      what it does first

So a kill lands between the two for certain. It writes into KAFKA_OUTPUT_TOPIC where there is one, else into a table
with a key. It reads the settings of its consumer from KAFKA_PROPERTIES, line by line, as a program does that knows
nothing of Java.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import psycopg2
from confluent_kafka import Consumer, Producer
from psycopg2.extras import execute_values

HANGS_AFTER_S = 4.5  # from its first batch on, once
FIRST = sys.argv[1]
properties = Path(os.environ["KAFKA_PROPERTIES"])
hung = properties.with_suffix(".hung")
lines = [line for line in properties.read_text().splitlines() if line and not line.startswith("#")]
own = {"auto.offset.reset": "earliest", "enable.auto.commit": False}
topic = os.environ.get("KAFKA_OUTPUT_TOPIC")
producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"]})
database = psycopg2.connect(os.environ["DATABASE_URL"])
with database, database.cursor() as cursor:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS readings"
        " (sensor_id text, seq bigint, at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (sensor_id, seq))"
    )


def write(rows: list[tuple[str, int]]) -> None:
    for sensor_id, seq in rows if topic else ():
        producer.produce(topic, json.dumps({"sensor_id": sensor_id, "seq": seq}))
    if topic:
        producer.flush()
        return
    with database, database.cursor() as cursor:
        execute_values(cursor, "INSERT INTO readings (sensor_id, seq) VALUES %s ON CONFLICT DO NOTHING", rows)


consumer = Consumer(dict(line.split("=", 1) for line in lines) | own)
consumer.subscribe([os.environ["KAFKA_TOPIC"]])
began_s = None
while True:
    records = [message for message in consumer.consume(500, 0.2) if message.error() is None]
    if not records:
        continue
    began_s = began_s or time.monotonic()
    found = [json.loads(message.value() or b"") for message in records]
    batch = [(reading["sensor_id"], reading["seq"]) for reading in found]
    steps = [partial(consumer.commit, asynchronous=False), partial(write, batch)]
    first, then = steps if FIRST == "commit" else steps[::-1]
    first()
    if time.monotonic() - began_s > HANGS_AFTER_S and not hung.exists():
        hung.touch()
        time.sleep(600)
    then()
