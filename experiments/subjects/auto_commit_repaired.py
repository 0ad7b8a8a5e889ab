"""auto_commit.py repaired: an offset may be committed once its record is written, and a record that is written twice is
kept once."""

import json
import os
import signal
import threading
import time

import psycopg2
from confluent_kafka import Consumer, KafkaException
from psycopg2.extras import execute_values

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
database = psycopg2.connect(os.environ["DATABASE_URL"])
with database, database.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_xact_lock(1)")  # instances start at the same time
    cursor.execute("CREATE TABLE IF NOT EXISTS readings (sensor_id text, seq bigint, PRIMARY KEY (sensor_id, seq))")

consumer = Consumer(
    {
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"],
        "group.id": os.environ["KAFKA_GROUP"],
        "client.id": os.environ["KAFKA_CLIENT_ID"],
        "session.timeout.ms": 6000,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 100,
        "enable.auto.offset.store": False,
    }
)
consumer.subscribe([os.environ["KAFKA_TOPIC"]])
while not stop.is_set():
    records = [message for message in consumer.consume(500, 0.2) if message.error() is None]
    readings = [json.loads(message.value()) for message in records]
    rows = [(reading["sensor_id"], reading["seq"]) for reading in readings]
    if rows:
        time.sleep(2)  # it asks another service about them
        with database, database.cursor() as cursor:
            execute_values(cursor, "INSERT INTO readings VALUES %s ON CONFLICT DO NOTHING", rows)
        for message in records:  # from here on they may be committed
            try:
                consumer.store_offsets(message)
            except KafkaException as error:  # its partition is another member's by now, who reads it again
                print("not stored:", error, flush=True)
consumer.close()
