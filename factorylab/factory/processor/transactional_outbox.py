"""The outbox of a processor that works in Kafka transactions: what a batch raises counts together with the offsets that
the batch ends at, or not at all.

    alerts and dead letters → offsets (in the name of the group's member) → COMMIT → one store transaction

The group's offset never lies behind the store's position, since the store follows. So whoever takes a partition asks
the group first: what records below that offset raise has been told of, and is only stored. Offsets of a transaction
that is open keep the new owner waiting (OffsetFetch, require stable).

Whatever goes wrong, the transaction is aborted, or, where the client cannot, given up with its producer; the next one
has the same id, and its beginning ends what the other left open. A former member of the group is refused its offsets,
and a producer that another has taken the id from, or whose transaction lasted too long, is refused everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from factorylab.core.clock import now_ns
from factorylab.factory import json_logs
from factorylab.factory.client_errors import ClientDead
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.processor.outbox import Outbox, Span, Undelivered
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.profiles import alert_producer, new_client
from factorylab.factory.store.crash_points import reached
from factorylab.history.tables import COMMITTED

OFFSETS_S = 0.5  # a poll must not wait long for offsets of a transaction that is open


class TransactionalOutbox(Outbox):
    """Sends through producers of one transactional id, one after the other."""

    def __init__(
        self,
        producer: Producer,
        consumer: Consumer,
        config: ProcessorConfig,
        logger: json_logs.Logger,
        evidence: ProcessorJournal,
    ) -> None:
        super().__init__(producer, config.alert_topic, config.dead_letter_topic, config.produce_deadline_s)
        self._consumer, self._config, self._log, self._evidence = consumer, config, logger, evidence
        self._known = False
        self._begun_ns: int | None = None
        self._sent = 0

    def poll(self) -> None:
        """Hear of what the client has to tell. What is wrong with it the next batch is told."""
        with suppress(KafkaException):
            super().poll()

    def ready(self) -> None:
        """Take the id over from its earlier lives: what they left open is aborted.

        Raises:
            Undelivered: the coordinator did not answer in time.
        """
        if self._known:
            return
        try:
            self._producer.init_transactions(self._deadline_s)
        except KafkaException as error:
            self._replace()
            raise Undelivered(f"no transactions: {error.args[0].str()}") from error
        self._known = True

    def delivered_to(self, partition: int) -> int:
        """The group's offset, once no transaction that would move it is open.

        Raises:
            Undelivered: it is, or nobody answers.
        """
        self.ready()
        at = TopicPartition(self._config.sensor_topic, partition)
        try:
            [found] = self._consumer.committed([at], timeout=OFFSETS_S)
        except KafkaException as error:
            raise Undelivered(f"the group's offset is not known: {error.args[0].str()}") from error
        if found.error is not None:
            raise Undelivered(f"the group's offset is not known: {found.error.str()}")
        return max(found.offset, 0)  # −1001: none yet

    def _send(self, topic: str, value: bytes | None, key: bytes | None, headers: dict[str, str]) -> None:
        try:
            self._begin()
            super()._send(topic, value, key, headers)
        except KafkaException as error:
            self._failures.append(error.args[0])
        except ClientDead as error:
            self._failures.append(KafkaError(KafkaError._FATAL, str(error)))
        self._sent += 1

    def _begin(self) -> None:
        if self._begun_ns is None:
            self._producer.begin_transaction()
            self._begun_ns = now_ns()

    def settle(self, hurry: Callable[[], bool], spans: Mapping[int, Span]) -> None:
        """Commit what was sent, and the ends of `spans` as the group's offsets, in one transaction.

        Raises:
            Undelivered: it does not count, or that is not known; the group's offsets tell.
        """
        if self._begun_ns is None and not spans:
            return
        try:
            self._begin()
            super().settle(hurry, spans)
            self._send_offsets(spans)
            if self._sent:
                reached("in_transaction")
            self._producer.commit_transaction(self._deadline_s)
        except (KafkaException, Undelivered, ClientDead) as error:
            told = error.args[0] if isinstance(error, KafkaException) else None
            self._ended(spans, told.name() if told else type(error).__name__)
            self._abort()
            raise Undelivered(f"the transaction does not count: {told.str() if told else error}") from error
        raised = self._sent
        self._ended(spans, COMMITTED)
        if raised:
            reached("committed")

    def _send_offsets(self, spans: Mapping[int, Span]) -> None:
        """The coordinator refuses them of a former member of the group."""
        ends = [TopicPartition(self._config.sensor_topic, partition, end) for partition, (_, end) in spans.items()]
        self._producer.send_offsets_to_transaction(ends, self._consumer.consumer_group_metadata(), self._deadline_s)

    def _ended(self, spans: Mapping[int, Span], result: str) -> None:
        self._evidence.transaction(spans, self._begun_ns or now_ns(), self._sent, result)
        self._begun_ns, self._sent = None, 0

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(self._deadline_s)
        except KafkaException:
            self._replace()
        self._failures.clear()

    def _replace(self) -> None:
        """A new producer of the same id. What the old one had in hand is of a transaction that does not count."""
        old, self._producer = self._producer, new_client(Producer, alert_producer(self._config), self._log)
        old.purge()
        with suppress(KafkaException):  # that it is fenced it says once more
            old.flush(1.0)  # its answers
        self._known, self._open = False, 0
