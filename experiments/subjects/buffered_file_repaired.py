"""buffered_file.py repaired: each line says which record it is of, and the file itself says where to go on, so that
both are kept or neither. What a kill left of a line is cut off."""

import json
import os
import signal
import threading
from pathlib import Path

from confluent_kafka import Consumer, KafkaException

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
output = Path(os.environ["OUTPUT_FILE"])
written = output.read_bytes() if output.exists() else b""
whole = written[: written.rfind(b"\n") + 1]
if whole != written:
    output.write_bytes(whole)
next_offset = {line["partition"]: line["offset"] + 1 for line in map(json.loads, whole.splitlines())}


def go_on(consumer, partitions):
    for partition in partitions:
        partition.offset = next_offset.get(partition.partition, partition.offset)
    consumer.assign(partitions)


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
consumer.subscribe([os.environ["KAFKA_TOPIC"]], on_assign=go_on)
with output.open("a", buffering=1) as file:
    while not stop.is_set():
        records = [message for message in consumer.consume(500, 0.2) if message.error() is None]
        for message in records:
            reading = json.loads(message.value())
            line = {"sensor_id": reading["sensor_id"], "seq": reading["seq"]}
            place = {"partition": message.partition(), "offset": message.offset()}
            file.write(json.dumps(line | place) + "\n")
            next_offset[message.partition()] = message.offset() + 1
        if records:
            try:
                consumer.commit(asynchronous=False)  # for whoever looks at the lag
            except KafkaException as error:  # the group moved, or its coordinator is away: the next one tells it, too
                print("not committed:", error, flush=True)
consumer.close()
