"""A processor as it is often written, which loses or doubles readings. It exists as a control and for nothing else.

    poll → prepare → insert → commit the offset              what is stored, and not yet committed, is stored again
    poll → prepare → insert, while the client commits        what is committed, and not yet stored, is never stored

Which of the two it is, the client's own setting `enable.auto.commit` says. It differs from the factory's processor in
four habits: its position is the group's offset in Kafka, nothing fences a former owner, the table has no unique key,
and a record that it does not understand is passed over. Detectors, checks and journal are the factory's.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from factorylab.core.clock import now_ns
from factorylab.core.errors import WaitTimeout
from factorylab.core.libpq import connect
from factorylab.core.vocabulary import GroupEvent
from factorylab.core.waiting import wait_until
from factorylab.factory import json_logs
from factorylab.factory.client_errors import sorted_out
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.needs import wait_for_schema, wait_for_topics
from factorylab.factory.process import StopSignal, run
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.polls import records_of
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.profiles import new_client, processor_consumer
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.crash_points import ordered, reached
from factorylab.factory.store.positions import Taken
from factorylab.factory.store.rows import StoreBatch
from factorylab.factory.store.store import Store
from factorylab.history.journal import Journal

COMMITTED_WITHIN_S = 30.0  # the client commits every 5 s by default


class Unfenced(Store):
    """A store that asks nobody who owns a partition."""

    def _move(self, cursor: Cursor, batch: StoreBatch) -> None:
        pass


class Naive:
    """One member of the group. `owner_epoch` in its journal is the time of its assignment: evidence, no fence."""

    def __init__(self, config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
        self._config, self._log, self._stop = config, logger, stop
        journal = Journal(config.journal_dir, config.worker, "processor") if config.journal_dir else None
        self._evidence = ProcessorJournal(config.worker, journal)
        url = config.database_url.get_secret_value()
        self._store = Unfenced(url, config.db_schema, config.sensor_topic, config.worker, config.store_deadline_s)
        settings = processor_consumer(config)
        self._auto = str(settings["enable.auto.commit"]).lower() == "true"
        self._consumer = new_client(Consumer, settings, logger)
        self._owned: dict[int, Owned] = {}
        self._number = 0

    def run(self) -> None:
        """Work until told to stop, then leave the group."""
        wait_for_topics([self._consumer], [self._config.sensor_topic], self._log, self._stop)
        self._consumer.subscribe(
            [self._config.sensor_topic],
            on_assign=self._assigned,
            on_revoke=lambda _, gone: self._gone("revoked", gone),
            on_lost=lambda _, gone: self._gone("lost", gone),
        )
        while not self._stop:
            self._round()
        self._consumer.close()
        self._store.close()

    def _assigned(self, _: Consumer, assigned: Sequence[TopicPartition]) -> None:
        self._number += 1
        partitions = sorted(at.partition for at in assigned)
        self._evidence.group("assigned", partitions, self._number)
        self._owned |= {p: Owned.of(p, Taken(0, now_ns()), self._number) for p in partitions}
        self._log.info("ready", partitions=partitions)

    def _gone(self, event: GroupEvent, gone: Sequence[TopicPartition]) -> None:
        reached("revoking")
        partitions = sorted(at.partition for at in gone)
        self._evidence.group(event, partitions, self._number)
        for partition in partitions:
            self._owned.pop(partition, None)

    def _round(self) -> None:
        # One call: what an assignment that ends meanwhile had fetched is dropped by the client, not handed over.
        polled = self._consumer.consume(self._config.batch_records, self._config.batch_wait_s)
        if not polled:
            return
        reached("polled")
        records, errors = sorted_out(polled)
        for partition in list(self._owned):
            if share := [message for message in records if message.partition() == partition]:
                self._handle(self._owned[partition], share)
        for error, partition_of in errors:
            self._log.error("client_error", error=str(error), partition=partition_of)

    def _handle(self, owned: Owned, share: Sequence[Message]) -> None:
        records = records_of(owned.partition, share)
        self._evidence.polled(records, owned.number)
        owned.next_offset = records.first_offset
        prepared = owned.prepare(records, self._store.sensor_ids)
        prepared = replace(prepared, batch=replace(prepared.batch, alerts=()), alerts=[], dead_letters=[])
        reached("prepared")
        if self._auto:
            self._await_the_clients_commit(prepared.batch)
        reached("before_store")
        while not self._stop:
            prepared.begun_ns = now_ns()
            try:
                new = self._store.commit(prepared.batch)
                break
            except StoreUnavailable as error:  # nobody knows whether it counted: once more
                self._log.warning("batch_failed", error=str(error))
        else:
            return
        reached("after_store")
        self._evidence.committed(prepared, new)
        if not self._auto:
            self._commit(prepared.batch)
            reached("after_commit")

    def _await_the_clients_commit(self, batch: StoreBatch) -> None:
        """To be stopped after the commit is to be stopped when the client made it, which it does in its own time."""
        at = TopicPartition(self._config.sensor_topic, batch.partition)
        if ordered("after_commit"):
            with suppress(WaitTimeout):  # then the order stays, for the next batch
                wait_until(
                    lambda: self._consumer.committed([at])[0].offset >= batch.to_offset,
                    what="the client to commit",
                    timeout_s=COMMITTED_WITHIN_S,
                )
                reached("after_commit")

    def _commit(self, batch: StoreBatch) -> None:
        at = TopicPartition(self._config.sensor_topic, batch.partition, batch.to_offset)
        try:
            self._consumer.commit(offsets=[at], asynchronous=False)
        except KafkaException as error:
            self._log.warning("commit_failed", error=str(error))


def drop_key(url: str, schema: str) -> None:
    """Take the unique key of the table `readings` away."""
    statement = sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS readings_pkey")
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement.format(sql.Identifier(schema, "readings")))


def main(config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    """Spoil the table, then work."""
    wait_for_schema(config, logger, stop)
    if not stop:
        drop_key(config.database_url.get_secret_value(), config.db_schema)
        Naive(config, logger, stop).run()


if __name__ == "__main__":
    run(ProcessorConfig, main)
