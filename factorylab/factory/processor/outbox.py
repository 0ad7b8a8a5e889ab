"""The outbox: alerts and dead letters go out and are acknowledged before the batch that caused them is committed.

A crash in between sends them again: an alert with the same id, a dead letter with the same origin. Headers of a
dead letter are those of Kafka Connect (KIP-298).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from factorylab.core import messages
from factorylab.core.errors import LabError
from factorylab.factory.client_errors import raise_if_dead
from factorylab.factory.processor.intake import Bad

RECORD_MAX = 1_046_000  # key and value; with headers just below max.message.bytes, 1,048,588 by default
KEY_CUT, VALUE_CUT = "factory.key.truncated.from.bytes", "factory.truncated.from.bytes"
GIVE_UP_S = 1.0  # how long a process that was told to stop still waits


Span = tuple[int, int]  # first offset, next offset


class Undelivered(LabError):
    """Alerts or dead letters were not acknowledged in time: the batch must not be committed."""


class Outbox:
    """Sends through one producer; `settle` waits for everything that was sent since the last one."""

    def __init__(self, producer: Producer, alert_topic: str, dead_letter_topic: str, deadline_s: float) -> None:
        self._producer = producer
        self._alerts, self._dead_letters = alert_topic, dead_letter_topic
        self._deadline_s = deadline_s
        self._open = 0
        self._failures: list[KafkaError] = []

    def alert(self, alert: messages.Alert) -> None:
        """Send an alert, with its correlation id as a CloudEvents attribute."""
        headers = {"ce_id": alert.alert_id, "ce_type": "factory.alert", "ce_correlationid": alert.correlation_id}
        self._send(self._alerts, messages.encode(alert), alert.sensor_id.encode(), headers)

    def dead_letter(self, topic: str, bad: Bad) -> None:
        """Send a bad record away with its original key and bytes; `topic` is where it came from."""
        headers = {
            "__connect.errors.topic": topic,
            "__connect.errors.partition": str(bad.partition),
            "__connect.errors.offset": str(bad.offset),
            "__connect.errors.stage": bad.stage,
            "__connect.errors.exception.class.name": type(bad.error).__name__,
            "__connect.errors.exception.message": printable(bad.error),
        }
        key, value = bad.key, bad.value
        if key is not None and len(key) > RECORD_MAX:
            key, headers[KEY_CUT] = key[:RECORD_MAX], str(len(key))
        room = RECORD_MAX - len(key or b"")
        if value is not None and len(value) > room:  # compressed, a record of any size fits into the log
            value, headers[VALUE_CUT] = value[:room], str(len(value))
        self._send(self._dead_letters, value, key, headers)

    def poll(self) -> None:
        """Hear of what the client has to tell."""
        self._producer.poll(0)

    def ready(self) -> None:
        """Nothing has to be done before something is sent."""

    def delivered_to(self, partition: int) -> int:
        """The offset of a partition below which everything that was raised has surely been told of; 0: not known."""
        return 0

    def _send(self, topic: str, value: bytes | None, key: bytes | None, headers: dict[str, str]) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, headers=list(headers.items()), on_delivery=self._answered)
                break
            except BufferError:  # a burst of alerts: wait for room
                self._producer.poll(0.05)
            except KafkaException as error:
                raise_if_dead(error.args[0])
                self._failures.append(error.args[0])
                return
        self._open += 1

    def _answered(self, error: KafkaError | None, _message: Message) -> None:
        self._open -= 1
        if error is not None:
            self._failures.append(error)

    def settle(self, hurry: Callable[[], bool], spans: Mapping[int, Span]) -> None:
        """Wait until everything is acknowledged; where `hurry` is true, only for a moment. `spans` are the offsets, by
        partition, whose records raised it.

        Raises:
            Undelivered: something was refused or not acknowledged in time.
            ClientDead: nothing will ever be acknowledged.
        """
        since = time.monotonic()
        while self._open:
            self._producer.flush(0.1)
            waited_s = time.monotonic() - since
            if waited_s > self._deadline_s or (hurry() and waited_s > GIVE_UP_S):
                break
        failures, self._failures = self._failures, []
        for failure in failures:
            raise_if_dead(failure)
        if failures or self._open:
            why = failures[0].str() if failures else "no answer"
            raise Undelivered(f"{len(failures)} alerts or dead letters refused, {self._open} without an answer: {why}")


def printable(error: Exception) -> str:
    """One line of ASCII, not too long: what a broken record says about itself must not break the reader."""
    return str(error).encode("ascii", "backslashreplace").decode().replace("\n", " ").replace("\0", "\\x00")[:500]
