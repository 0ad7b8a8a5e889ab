"""A consumer that appends lines to a file, and commits. BUG: the file has a buffer, so that what it has committed and
not yet flushed when it is killed is lost. Its twin: buffered_file_repaired.py."""

import json
import os
import signal
import threading

from confluent_kafka import Consumer, KafkaException

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"],
        "group.id": os.environ["KAFKA_GROUP"],
        "client.id": os.environ["KAFKA_CLIENT_ID"],
        "session.timeout.ms": 6000,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([os.environ["KAFKA_TOPIC"]])
with open(os.environ["OUTPUT_FILE"], "a") as file:  # noqa: PTH123
    while not stop.is_set():
        records = [message for message in consumer.consume(500, 0.2) if message.error() is None]
        for message in records:
            reading = json.loads(message.value())
            file.write(json.dumps({"sensor_id": reading["sensor_id"], "seq": reading["seq"]}) + "\n")
        if records:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:  # the group moved, or its coordinator is away: the next one tells it, too
                print("not committed:", error, flush=True)
consumer.close()
