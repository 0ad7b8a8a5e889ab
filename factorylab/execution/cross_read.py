"""A sample of the log, read once more by a client of another implementation.

All else that a run knows of its log came by way of librdkafka, the library of the processors too: what it got wrong
would be wrong everywhere. kafka-python shares no code with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition

from factorylab.cluster.python_client import FAILURES
from factorylab.cluster.secured import way_to
from factorylab.core.clock import NS, now_ns
from factorylab.core.messages import payload_hash
from factorylab.execution.log_scan import WORKER, Spans
from factorylab.history.cross_samples import samples
from factorylab.history.tables import CrossRead

ANSWER_S = 20  # for each sample; it takes a tenth of a second
HASHES = 1 << 64
CANNOT = (*FAILURES, NotImplementedError, TimeoutError)
"""What a sample raises that cannot be read: also where the client has no codec for the log's compression."""


def cross_read(bootstrap: str, topic: str, spans: Spans) -> Iterator[CrossRead]:
    """What kafka-python finds in the samples of each partition's span.

    Raises:
        CANNOT: a sample cannot be read.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id="factorylab-cross-read",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        bootstrap_timeout_ms=ANSWER_S * 1000,
        **(way.python_settings() if (way := way_to(bootstrap)) else {}),
    )
    with closing(consumer):
        for partition, (start, end) in spans.items():
            for sample in samples(start, end):
                yield _read(consumer, TopicPartition(topic, partition), *sample)


def _read(consumer: KafkaConsumer, at: TopicPartition, first: int, end: int) -> CrossRead:
    count, hash_sum, deadline_ns = 0, 0, now_ns() + ANSWER_S * NS
    consumer.assign([at])
    consumer.seek(at, first)
    while (position := consumer.position(at)) < end:
        if now_ns() > deadline_ns:
            raise TimeoutError(f"{at.topic}, partition {at.partition}: offset {position} was not read in {ANSWER_S} s")
        for record in consumer.poll(timeout_ms=500).get(at, []):
            if first <= record.offset < end:
                count, hash_sum = count + 1, hash_sum + payload_hash(record.value or b"")
    return CrossRead(
        worker=WORKER,
        t_ns=now_ns(),
        partition=at.partition,
        first_offset=first,
        last_offset=end - 1,
        count=count,
        hash_sum=hash_sum % HASHES,
    )
