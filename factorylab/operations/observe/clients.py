"""Who writes the canaries (librdkafka) and who reads them (kafka-python): two implementations that share no code.

Both only put down what happened and when; who ticks takes it up. So nothing is judged before it is known whether the
observer itself was paused.
"""

from __future__ import annotations

from contextlib import suppress
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from kafka import KafkaConsumer, TopicPartition

from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.python_side import python_settings
from factorylab.cluster.python_client import FAILURES
from factorylab.core.clock import now_ns
from factorylab.factory.client_errors import is_dead
from factorylab.operations.observe.canary import Canary, decode, encode
from factorylab.operations.observe.ledger import NOWHERE
from factorylab.operations.observe.notes import Acked, Begins, Noted, Read, Refused, Trouble

CLIENT_ID = "factorylab-observe"
METADATA_MS = 400  # how late both may hear of a new leader: the error of the end of an outage
PRODUCER: dict[str, str | int | bool] = {
    "acks": "all",
    "enable.idempotence": True,  # what is doubled or out of order then is the cluster's doing, not a retry's
    "linger.ms": 0,
    "delivery.timeout.ms": 120_000,
    "request.timeout.ms": 2_500,
    "socket.timeout.ms": 3_000,  # a frozen leader is given up before the cluster gives it up (9 s by default)
    "socket.connection.setup.timeout.ms": 1_500,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 250,
    "retry.backoff.ms": 50,
    "retry.backoff.max.ms": 250,
    "topic.metadata.refresh.interval.ms": METADATA_MS,
    "metadata.max.age.ms": 180_000,  # by default three times the refresh: then healthy partitions are forgotten, too
    "log_level": 0,
}
"""A client whose own waits are short: the end of an outage is to be the cluster's, not that of a back-off."""
READER: dict[str, Any] = {
    "client_id": CLIENT_ID,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
    "request_timeout_ms": 3_000,
    "metadata_max_age_ms": METADATA_MS,
    "reconnect_backoff_max_ms": 250,
    "retry_backoff_ms": 50,
}
POLL_MS = 500
AGAIN_S = 0.5


class CanaryProducer:
    """Offers canaries and notes the answers, which come while it is polled. Where librdkafka says that a producer can
    not go on, as after an unclean election, a new one takes its place; what the former had is refused."""

    def __init__(self, connection: Connection, topic: str, noted: SimpleQueue[Noted]) -> None:
        self._settings = {**connection.client_settings(), "client.id": CLIENT_ID, **PRODUCER}
        self._topic, self._noted = topic, noted
        self._producer, self._dead, self.replaced = self._new(), False, 0

    def offer(self, canary: Canary) -> bool:
        """Hand it over; false where the queue is full."""

        def answered(error: KafkaError | None, message: Message) -> None:
            at_ns, offset = now_ns(), message.offset()
            if error is None:  # without an offset where a retry found it in the log already
                self._noted.put(Acked(canary, NOWHERE if offset is None else offset, at_ns))
                return
            self._dead = self._dead or is_dead(error)
            self._noted.put(Refused(canary, error.name(), at_ns))

        try:
            self._producer.produce(self._topic, encode(canary), partition=canary.partition, on_delivery=answered)
        except BufferError:
            return False
        except KafkaException as error:
            self._dead = True
            self._noted.put(Refused(canary, str(error), now_ns()))
        return True

    def poll(self, for_s: float) -> None:
        """Take answers for so long, or until one came."""
        self._producer.poll(for_s)
        if self._dead:
            self.close(0)
            self._producer, self._dead, self.replaced = self._new(), False, self.replaced + 1

    def close(self, within_s: float) -> None:
        """Wait for the answers that are missing, at most so long, and let go of the rest."""
        self._producer.flush(within_s)
        self._producer.purge()
        self._producer.flush(within_s)

    def _new(self) -> Producer:
        return Producer(self._settings, error_cb=self._told)

    def _told(self, error: KafkaError) -> None:
        self._dead = self._dead or is_dead(error)


class CanaryReader(Thread):
    """Reads each partition from the end that it has when the reader is made, until `stop`."""

    def __init__(
        self, connection: Connection, topic: str, partitions: int, observation: str, noted: SimpleQueue[Noted]
    ) -> None:
        """Raises what is in `python_client.FAILURES` where nobody answers."""
        super().__init__(daemon=True, name="reader")
        self._ended, self._noted, self._observation = Flag(), noted, observation
        self._settings = {"bootstrap_servers": connection.bootstrap.split(","), **READER, **python_settings(connection)}
        self._next: dict[TopicPartition, int] = {}
        self._wanted = [TopicPartition(topic, p) for p in range(partitions)]
        self._consumer = self._connected()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except FAILURES:
                continue  # nobody answers: asked again
            except Exception as error:  # an error of the client's own: a new one goes on where it was
                self._noted.put(Trouble(f"the reader: {error!r}", now_ns()))
                self._replace()
        self._consumer.close()

    def stop(self) -> None:
        """End within a poll."""
        self._ended.set()

    def _connected(self) -> KafkaConsumer:
        consumer = KafkaConsumer(**self._settings)
        try:
            consumer.assign(self._wanted)
            self._next = self._next or consumer.end_offsets(self._wanted)
            for at, offset in self._next.items():
                consumer.seek(at, offset)
        except BaseException:
            consumer.close()
            raise
        return consumer

    def _replace(self) -> None:
        with suppress(Exception):
            self._consumer.close()
        while not self._ended.wait(AGAIN_S):
            with suppress(*FAILURES):
                self._consumer = self._connected()
                return

    def _read(self) -> None:
        for at, records in self._consumer.poll(timeout_ms=POLL_MS).items():
            t_ns = now_ns()
            for record in records:
                self._note(at, record.offset, decode(record.value), t_ns)

    def _note(self, at: TopicPartition, offset: int, canary: Canary | None, t_ns: int) -> None:
        if offset != self._next[at]:
            self._noted.put(Begins(at.partition, self._begins(at)))
        self._next[at] = offset + 1
        ours = canary is not None and canary.observation == self._observation
        self._noted.put(Read(at.partition, offset, canary if ours else None, t_ns))

    def _begins(self, at: TopicPartition) -> int:
        """Where the log begins, asked until it is known: what was read is noted after that."""
        while not self._ended.is_set():
            with suppress(*FAILURES):
                return int(self._consumer.beginning_offsets([at])[at])
        return 0
