"""What an error of confluent-kafka means, decided in one place.

- A client that is *dead* never works again, however long one waits: another member took its static id, the broker
  refuses its assignor, a producer lost its sequence. The client says it once. A consumer does so by a message without
  a topic whose error has the code `_FATAL` and is not `fatal()`; a producer by a report or an exception.
- The end of a partition (`enable.partition.eof=true`) looks like an error and is none.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, Message

from factorylab.core.errors import LabError


class ClientDead(LabError):
    """A Kafka client that cannot work any more: only a new process helps."""


def is_dead(error: KafkaError) -> bool:
    """Whether the client that told this error is dead."""
    return bool(error.code() == KafkaError._FATAL or error.fatal())


def raise_if_dead(error: KafkaError | None) -> None:
    """Raises ClientDead where an error says that its client is."""
    if error is not None and is_dead(error):
        raise ClientDead(f"the Kafka client cannot go on, and only a new process can: {error.str()}")


def sorted_out(polled: Iterable[Message]) -> tuple[list[Message], list[tuple[KafkaError, int | None]]]:
    """The records of a poll, and its errors, each with the partition that it is about (None: the client as a whole).

    Raises:
        ClientDead: one of them says that the client is dead.
    """
    records: list[Message] = []
    errors: list[tuple[KafkaError, int | None]] = []
    for message in polled:
        error = message.error()
        if error is None:
            records.append(message)
        elif error.code() != KafkaError._PARTITION_EOF:
            raise_if_dead(error)
            errors.append((error, None if message.topic() is None else message.partition()))
    return records, errors
