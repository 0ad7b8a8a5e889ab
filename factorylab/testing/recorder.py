"""What a producer was told of the records that a test sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from factorylab.core.vocabulary import Outcome

Text = str | bytes | None
NOWHERE = -1  # no partition, or no offset, was told


@dataclass
class Sent:
    """One record and its answer; until one comes, whether it is in the log is unknown."""

    value: Text
    key: Text = None
    outcome: Outcome = "unknown"
    partition: int = NOWHERE
    offset: int = NOWHERE


class Deliveries:
    """The delivery reports of confluent-kafka's producer, in one of two ways:

        producer.produce(topic, value, key, on_delivery=sent)                 # hears of a record when it is answered
        producer.produce(topic, value, key, on_delivery=sent.of(value, key))  # knows it before it is sent

    Only the second way tells in which order records were sent, and which never got an answer.

    `acks` is the producer's: with 0 a report acknowledges nothing, and says no more than that a record is unknown.
    """

    def __init__(self, acks: str | int = "all") -> None:
        self.acks = str(acks)
        self.records: list[Sent] = []
        self.in_order = True

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """Note a record with its answer. Answers come in an order of their own, so that of the sends is not known."""
        self.in_order = False
        self.of(message.value(), message.key())(error, message)

    def of(self, value: Text, key: Text = None) -> Callable[[KafkaError | None, Message], None]:
        """Note a record that is about to be sent; what is returned notes its answer. Call it once for each record,
        also where produce() has to be tried again."""
        sent = Sent(value, key)
        self.records.append(sent)
        return partial(_answered, sent)


def _answered(sent: Sent, error: KafkaError | None, message: Message) -> None:
    """An error leaves the record unknown: a request that got no answer may have been carried out."""
    if error is None:
        partition, offset = message.partition(), message.offset()
        sent.outcome = "ok"
        sent.partition = NOWHERE if partition is None else partition
        sent.offset = NOWHERE if offset is None else max(offset, NOWHERE)
