"""A worker of a share group.

    poll (records of any partition, each locked for this worker) → prepare → dead letters out and acknowledged
        → one store transaction, by identity → acknowledge each record

Rules:
- A record is acknowledged once the transaction that stores it has committed, so one whose worker dies is given to
  another and stored by that. What was stored and not acknowledged comes again and changes nothing (`by_identity`).
- A bad record, and one that the store refuses, becomes a dead letter, and is rejected once that is acknowledged. So
  does one that comes for the last time: were it tried and its worker died, the broker would give it up, and nobody
  would know.
- While the store is away the records stay in hand, and other workers get them when their locks end. A worker that is
  told to stop then releases them.
- No detector runs: a sensor's readings come in no order.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import AcknowledgeType, KafkaException, Message, Producer, ShareConsumer

from factorylab.core.vocabulary import AckKind
from factorylab.factory import json_logs
from factorylab.factory.client_errors import sorted_out
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.needs import wait_for_schema, wait_for_topics
from factorylab.factory.process import StopSignal
from factorylab.factory.processor.intake import POISON_STAGE, Bad
from factorylab.factory.processor.outbox import Outbox, Undelivered, printable
from factorylab.factory.processor.retries import is_the_records_fault
from factorylab.factory.profiles import alert_producer, new_client, share_consumer
from factorylab.factory.share.batch import Batch, Preparation
from factorylab.factory.share.share_journal import Place, ShareJournal, place_of
from factorylab.factory.store.by_identity import IdentityStore
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.crash_points import reached

POLL_S = 0.1
COMMIT_S = 30.0
REST_S = 0.05
KINDS: dict[AckKind, AcknowledgeType] = {
    "accept": AcknowledgeType.ACCEPT,
    "release": AcknowledgeType.RELEASE,
    "reject": AcknowledgeType.REJECT,
}


class Worker:
    """One member of the group."""

    def __init__(self, config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
        self._config, self._log, self._stop = config, logger, stop
        self._store = IdentityStore(
            config.database_url.get_secret_value(), config.db_schema, config.worker, config.store_deadline_s
        )
        self._preparation = Preparation(self._store.sensor_ids, config.set_aside_at)
        self._journal = ShareJournal(config.worker, config.journal_dir)
        self._producer = new_client(Producer, alert_producer(config), logger)
        self._outbox = Outbox(self._producer, config.alert_topic, config.dead_letter_topic, config.produce_deadline_s)
        self._consumer = new_client(ShareConsumer, share_consumer(config), logger)
        self._explicit = config.acknowledgement == "explicit"
        self._unstored = False

    def run(self) -> None:
        """Work until told to stop, then leave the group: what is in hand by then is acknowledged or released."""
        self._store.note("start")
        topics = (self._config.sensor_topic, self._config.dead_letter_topic)
        wait_for_topics([self._producer], topics, self._log, self._stop)
        self._consumer.set_acknowledgement_commit_callback(self._journal.answered)
        self._consumer.subscribe([self._config.sensor_topic])
        while not self._stop:
            self._producer.poll(0)
            records, errors = sorted_out(self._consumer.poll(POLL_S))
            for error, partition in errors:
                self._log.error("client_error", error=str(error), partition=partition)
            if records:
                self._journal.acquired(records)
                reached("polled")
                self._work(records)
        if not self._unstored:
            self._consumer.close()
        self._store.close()

    def _work(self, records: Sequence[Message]) -> None:
        """What the store refuses is looked for one by one, and becomes a dead letter."""
        try:
            self.work(records)
        except Exception as error:
            if not is_the_records_fault(error):
                raise
            if len(records) == 1:
                self._refuse(records[0], error)
            else:
                for record in records:
                    self._work([record])

    def _refuse(self, record: Message, error: Exception) -> None:
        bad = Bad(0, *place_of(record), record.key(), record.value(), error, POISON_STAGE)
        self._set_aside([bad])
        self.acknowledge([record], [bad])

    def work(self, records: Sequence[Message]) -> None:
        """Store, then acknowledge."""
        batch = self.stored(records)
        if batch is not None:
            self.acknowledge(records, batch.bad)
        elif self._explicit:  # told to stop, and the store is away
            self._say([place_of(record) for record in records], "release")
            self._commit()
        else:
            self._unstored = True  # to close the client would accept them

    def stored(self, records: Sequence[Message]) -> Batch | None:
        """Store records; None where the store did not take them before this worker was told to stop."""
        while not self._stop:
            try:
                batch = self._preparation.batch(records)
                reached("prepared")
                self._set_aside(batch.bad)
                reached("before_store")
                self._store.commit(batch.readings)
            except (StoreUnavailable, Undelivered) as error:  # nobody knows whether it counted: once more
                self._log.warning("batch_failed", error=printable(error))
                while not (self._stop or self._store.ready):
                    time.sleep(REST_S)
                continue
            reached("after_store")
            return batch
        return None

    def _set_aside(self, bad: Sequence[Bad]) -> None:
        for one in bad:
            self._outbox.dead_letter(self._config.sensor_topic, one)
            self._log.warning("dead_letter", partition=one.partition, offset=one.offset, error=printable(one.error))
        self._outbox.settle(lambda: bool(self._stop), {})
        reached("delivered")

    def acknowledge(self, records: Sequence[Message], bad: Sequence[Bad] = ()) -> None:
        """Accept records, and reject the bad ones. In the implicit mode the next poll accepts all of them."""
        places = [place_of(record) for record in records]
        rejected = {(one.partition, one.offset) for one in bad} if self._explicit else set[Place]()
        self._say([place for place in places if place not in rejected], "accept")
        self._say(sorted(rejected), "reject")
        if self._explicit:
            self._commit()
        reached("after_commit")

    def _say(self, places: Sequence[Place], kind: AckKind) -> None:
        self._journal.sent(places, kind)
        for partition, offset in places if self._explicit else ():
            self._consumer.acknowledge_offset(self._config.sensor_topic, partition, offset, KINDS[kind])

    def _commit(self) -> None:
        """What the broker did not take comes again, to this worker or another."""
        try:
            answers = self._consumer.commit_sync(COMMIT_S)
        except KafkaException as error:
            self._log.warning("acknowledgement_failed", error=str(error))
            return
        for at, refusal in answers.items():
            if refusal is not None:
                self._log.warning("acknowledgement_refused", partition=at.partition, error=str(refusal))


def main(config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    """Work as configured."""
    wait_for_schema(config, logger, stop)
    if not stop:
        Worker(config, logger, stop).run()
