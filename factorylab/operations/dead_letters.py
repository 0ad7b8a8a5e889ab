"""Dead letters of a lab that is up: what they are, and sending them again once the reason is mended.

Rules:
- A letter is known by its origin (topic, partition, offset): a processor that died between a letter and its commit
  wrote it twice, and it is shown and sent once.
- What is sent again goes to its partition of the topic that it came from, with its key and bytes, and counts as new.
- It is noted in `system_events` after Kafka has acknowledged it, and never sent a second time. A crash in between may
  do so: then the store holds the reading already and leaves it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import psycopg2
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import execute_values

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.cluster.librdkafka import client_config
from factorylab.core.errors import LabError
from factorylab.core.libpq import connect
from factorylab.core.names import Names
from factorylab.execution.dead_letter_record import Letter, Origin, letter_of
from factorylab.execution.log_scan import read_topic
from factorylab.factory.store.connection import CONNECT_S

WORKER, RESENT = "dead-letters", "dead_letter_resent"
DEADLINE_S = 30.0
IN_FLIGHT = 1_000
ORIGIN_HEADER = "factory.resent.from"


@dataclass(frozen=True)
class Choice:
    """Which letters are meant; None is all. `error` is a part of the reason's class or message."""

    partition: int | None = None
    error: str | None = None
    key: str | None = None
    resent_too: bool = False
    limit: int | None = None

    def of(self, letters: Sequence[Letter]) -> list[Letter]:
        """The chosen ones, by their origin."""
        return [letter for letter in letters if self._takes(letter)][: self.limit]

    def _takes(self, letter: Letter) -> bool:
        return (
            (self.resent_too or not letter.resent)
            and self.partition in {None, letter.origin[1]}
            and (self.error is None or self.error.lower() in f"{letter.error_class} {letter.error}".lower())
            and (self.key is None or letter.key == self.key.encode())
        )


@dataclass(frozen=True)
class Resent:
    """What became of each letter: acknowledged by Kafka, not sent because it is not whole, or refused with a reason."""

    acknowledged: list[Letter]
    cut: list[Letter]
    refused: list[tuple[Letter, str]]


class DeadLetters:
    """The dead letters of one factory. Not for several threads."""

    def __init__(self, endpoints: Endpoints, names: Names) -> None:
        self._endpoints, self._names = endpoints, names

    def read(self) -> list[Letter]:
        """All letters by their origin, each once, with whether it was sent again.

        Raises:
            LabError: the database does not answer.
        """
        with closing(self._connect()) as connection:
            resent = self._resent(connection)
        found: dict[Origin, Letter] = {}
        for message in self._messages():
            if letter := letter_of(message):
                found[letter.origin] = replace(letter, resent=letter.origin in resent)
        return [found[origin] for origin in sorted(found)]

    def _messages(self) -> Iterator[Message]:
        admin, topic = Admin(self._endpoints.bootstrap), self._names.dead_letters
        with closing(admin):
            spans = admin.spans(topic)
        for batch in read_topic(self._endpoints.bootstrap, topic, spans):
            yield from batch

    def resend(self, choice: Choice) -> Resent:
        """Send the chosen letters again, each at most once, and note those that Kafka has acknowledged.

        Raises:
            LabError: another call is sending letters just now, or the database does not answer.
        """
        with closing(self._connect()) as connection, self._alone(connection):
            letters = choice.of(self.read())
            whole = [letter for letter in letters if not letter.cut]
            answers = self._send([letter for letter in whole if not letter.resent])
            acknowledged = [letter for letter, why in answers if not why]
            self._note(connection, acknowledged)
        refused = [(letter, why) for letter, why in answers if why]
        return Resent(acknowledged, [letter for letter in letters if letter.cut], refused)

    def _send(self, letters: Sequence[Letter]) -> list[tuple[Letter, str]]:
        """Each letter with the reason why it was not acknowledged, "" where it was."""
        producer = Producer(
            client_config(self._endpoints.bootstrap, WORKER)
            | {"acks": "all", "enable.idempotence": True, "delivery.timeout.ms": int(DEADLINE_S * 1000)}
            | {"message.max.bytes": 1_048_588}
        )
        answers: dict[Origin, str] = {}

        def answered(origin: Origin, error: KafkaError | None, _message: Message) -> None:
            answers[origin] = error.str() if error else ""

        for letter in letters:
            topic, partition, _ = letter.origin
            headers: list[tuple[str, str | bytes | None]] = [(ORIGIN_HEADER, letter.place)]
            on_delivery = partial(answered, letter.origin)
            if len(producer) >= IN_FLIGHT:
                producer.flush(DEADLINE_S)
            try:
                producer.produce(topic, letter.value, letter.key, partition, on_delivery, headers=headers)
            except (BufferError, KafkaException) as error:
                answers[letter.origin] = str(error)
        producer.flush(DEADLINE_S + 1)
        return [(letter, answers.get(letter.origin, "no answer")) for letter in letters]

    def _connect(self) -> Connection:
        try:
            return connect(self._endpoints.database_url, connect_timeout=CONNECT_S)
        except psycopg2.OperationalError as error:
            raise LabError(f"the database does not answer ({error}): 'factorylab status', 'factorylab heal'") from None

    @contextmanager
    def _alone(self, connection: Connection) -> Iterator[None]:
        """One sender at a time; the lock ends with the connection."""
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (f"{RESENT} {self._names.schema}",))
            if cursor.fetchone() != (True,):
                raise LabError("another command is sending dead letters again: wait until it has ended")
        yield

    def _resent(self, connection: Connection) -> set[Origin]:
        query = sql.SQL(
            "SELECT detail ->> 'topic', (detail ->> 'partition')::int, (detail ->> 'offset')::bigint"
            " FROM {} WHERE kind = %s"
        ).format(sql.Identifier(self._names.schema, "system_events"))
        with connection, connection.cursor() as cursor:
            cursor.execute(query, (RESENT,))
            return set(cursor.fetchall())

    def _note(self, connection: Connection, letters: Sequence[Letter]) -> None:
        insert = sql.SQL("INSERT INTO {} (worker, kind, detail) VALUES %s").format(
            sql.Identifier(self._names.schema, "system_events")
        )
        names = ("topic", "partition", "offset")
        rows = [(WORKER, RESENT, json.dumps(dict(zip(names, letter.origin, strict=True)))) for letter in letters]
        if rows:
            with connection, connection.cursor() as cursor:
                execute_values(cursor, insert.as_string(cursor), rows)
