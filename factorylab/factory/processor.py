"""A processor: a member of the group that checks, scores and stores readings.

    poll → prepare (decode, check, detect) → alerts and dead letters out and confirmed → one store transaction
         → offset commit (for lag monitors only) → journal

Rules:
- The position of a partition is the store's, never Kafka's. A partition that is assigned is *taken* in the store; until
  that worked it is paused, and taking is tried again, so a database outage costs no group membership.
- Whatever goes wrong with a batch, the partition is given up locally and taken again: the store says where to go on.
- Where that does not help, the partition is worked on with care, piece by piece, until the record that is to blame is
  a dead letter: see `care`.
- Messages that do not continue at the expected offset (left over from before a seek or a revocation) are dropped.
- A position that is not in the log any more ends the process: see `position`.
- A processor that is told to stop finishes its batch and leaves the group; being killed at any point is as good.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict

import numpy as np
import psycopg2
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from factorylab import messages
from factorylab.errors import LabError
from factorylab.factory import logs
from factorylab.factory.assignment import Assignment
from factorylab.factory.care import Care, Poison, is_the_records_fault
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.database import StoreUnavailable
from factorylab.factory.evidence import Evidence
from factorylab.factory.intake import Records
from factorylab.factory.metrics import Endpoint, ProcessorCounts, ProcessorMetrics
from factorylab.factory.needs import wait_for_schema, wait_for_topics
from factorylab.factory.outbox import Outbox, Undelivered, printable
from factorylab.factory.pace import POLL_INTERVAL, POLL_INTERVAL_MS, Pace
from factorylab.factory.partition import Owned, Prepared
from factorylab.factory.position import PositionLost, lost
from factorylab.factory.positions import Fenced
from factorylab.factory.process import Stop, run
from factorylab.factory.profiles import alert_producer, new_client, processor_consumer
from factorylab.factory.rows import Batch
from factorylab.factory.steps import reached
from factorylab.factory.store import Store
from factorylab.journal import Journal

POLL_S = 0.1
CLOSE_S = 5.0


class Processor:
    """One member of the group."""

    def __init__(self, config: ProcessorConfig, logger: logs.Logger, stop: Stop) -> None:
        self._config, self._log, self._stop = config, logger, stop
        journal = Journal(config.journal_dir, config.worker, "processor") if config.journal_dir else None
        self._evidence = Evidence(config.worker, journal)
        self._store = Store(
            config.database_url.get_secret_value(),
            config.db_schema,
            config.sensor_topic,
            config.worker,
            config.store_deadline_s,
        )
        settings = processor_consumer(config)
        self._consumer = new_client(Consumer, settings, logger)
        self._pace = Pace(float(settings.get(POLL_INTERVAL, POLL_INTERVAL_MS)) / 1000)
        producer = new_client(Producer, alert_producer(config), logger)
        self._outbox = Outbox(producer, config.alert_topic, config.dead_letter_topic, config.produce_deadline_s)
        self._assignment = Assignment(
            self._consumer,
            config.sensor_topic,
            incremental=config.protocol != "range",
            store=self._store,
            evidence=self._evidence,
            logger=logger,
        )
        self._counts: Counter[str] = Counter()
        self._faults: dict[int, Exception] = {}  # the last exception of a partition that a record may be to blame for
        self._busy_s = 0.0
        self._metrics = ProcessorMetrics()

    def run(self) -> None:
        """Work until told to stop, then leave the group."""
        self._log.info("start", group=self._config.group, protocol=self._config.protocol)
        self._store.note("start")
        if warning := self._pace.too_short_for(self._config.produce_deadline_s, self._config.store_deadline_s):
            self._log.warning("deadlines", text=warning)
        endpoint = Endpoint(self._config, self._log, self._metrics)
        topics = (self._config.sensor_topic, self._config.alert_topic, self._config.dead_letter_topic)
        wait_for_topics(self._consumer, topics, self._log, self._stop)
        self._assignment.subscribe()
        report_at = time.monotonic() + self._config.report_every_s
        try:
            while not self._stop:
                self._round()
                self._look()
                if time.monotonic() >= report_at:
                    report_at += self._config.report_every_s
                    self._report("counters")
        finally:
            endpoint.close()
            self._leave()

    def _round(self) -> None:
        if self._pace.late:
            self._too_slow()
        first = self._consumer.poll(POLL_S)
        self._pace.begin()
        self._assignment.take_pending()
        self._pace.did("taking")
        if first is None:
            return
        polled = [first, *self._consumer.consume(self._config.batch_records - 1, self._config.batch_wait_s)]
        self._pace.polled()
        reached("polled")
        shares = [(self._assignment.owned[share.partition].care, share) for share in self._shares(polled)]
        self._deliver([one for care, share in shares if not care and (one := self._prepare(share))])
        for care, share in shares:
            if care:
                self._work_with_care(care, share)
        self._busy_s += self._pace.round_s
        self._metrics.batch_s.observe(self._pace.round_s)

    def _work_with_care(self, care: Care, records: Records) -> None:
        """Piece by piece, until one fails: the partition is given up then and taken again."""
        owned = self._assignment.owned.get(records.partition)
        for piece in care.pieces(records):
            if self._stop or owned is None or self._assignment.owned.get(records.partition) is not owned:
                return
            prepared = self._set_aside(owned, care, piece) if care.gives_up(piece) else self._begin(owned, care, piece)
            if prepared:
                self._deliver([prepared])
            if not care.concerns(piece):
                owned.care = None

    def _begin(self, owned: Owned, care: Care, piece: Records) -> Prepared | None:
        if care.concerns(piece):
            try:
                self._store.begin(owned.at, piece.last_offset + 1)
            except (Fenced, StoreUnavailable, psycopg2.Error) as error:
                self._failed(owned.partition, error)
                return None
        return self._prepare(piece)

    def _set_aside(self, owned: Owned, care: Care, record: Records) -> Prepared:
        seen = self._faults.get(owned.partition)
        why = f"{type(seen).__name__}: {seen}" if seen else "the processes that tried ended in it"
        error = Poison(f"given up after {care.tries} tries; {why}")
        where = {"partition": owned.partition, "offset": record.last_offset, "tries": care.tries}
        self._store.note("poison", **where, error=printable(error))
        return self._read(owned, record, lambda: owned.set_aside(record, error))

    def _shares(self, polled: Sequence[Message]) -> list[Records]:
        """The records of each owned partition that go on where it stands."""
        shares: dict[int | None, list[Message]] = defaultdict(list)
        for message in polled:
            if message.error() is None:
                shares[message.partition()].append(message)
            else:
                self._client_error(message)
        found = []
        for partition, share in shares.items():
            owned = self._assignment.owned.get(partition) if partition is not None else None
            if owned and (records := self._going_on(owned, records_of(owned.partition, share))):
                found.append(records)
        return found

    def _going_on(self, owned: Owned, records: Records) -> Records | None:
        going_on = records.since(owned.next_offset)
        if going_on is None or owned.next_offset in {going_on.first_offset, 0}:
            return going_on
        if owned.gap_seen_at != owned.next_offset:  # fetch again: what was only left over then disappears
            owned.gap_seen_at = owned.next_offset
            self._assignment.rewind(owned.partition)
            return None
        gap = {"partition": owned.partition, "position": owned.next_offset, "next": going_on.first_offset}
        self._log.warning("gap", **gap)
        self._store.note("gap", **gap)
        return going_on

    def _client_error(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        if error is not None and error.code() == KafkaError._MAX_POLL_EXCEEDED:
            self._log.info("left_group", error=str(error))  # `too_slow` has explained it, and the loss came before
            self._assignment.expect_loss(None)
            return
        self._counts["errors"] += 1
        self._log.error("client_error", error=str(error), partition=partition)
        self._store.note("error", error=str(error), partition=partition)
        if error is not None and error.fatal():
            raise LabError(f"the Kafka client cannot go on: {error.str()}")
        owned = self._assignment.owned.get(partition) if partition is not None else None
        if error is not None and owned:  # perhaps its position is not in the log: never skip silently
            self._stop_where_lost(owned, error)
            self._assignment.give_up(owned.partition)

    def _too_slow(self) -> None:
        """One of the coming polls hears that the partitions are lost, and joins the group again."""
        why = {"round_s": round(self._pace.round_s, 3), "explanation": self._pace.explain()}
        self._log.warning("too_slow", **why)
        self._store.note("too_slow", **why)
        self._assignment.expect_loss("too_slow")

    def _stop_where_lost(self, owned: Owned, error: KafkaError) -> None:
        at = TopicPartition(self._config.sensor_topic, owned.partition, owned.next_offset)
        if loss := lost(self._consumer, at, error):
            self._store.note("position_lost", **asdict(loss))
            self._log.error("position_lost", **asdict(loss))
            raise PositionLost(loss.explain(self._config.db_schema))

    def _prepare(self, records: Records) -> Prepared | None:
        owned = self._assignment.owned[records.partition]
        try:
            return self._read(owned, records, lambda: owned.prepare(records, self._store.sensor_ids))
        except Exception as error:  # whatever a record can do to a program
            self._failed(records.partition, error)
            return None

    def _read(self, owned: Owned, records: Records, prepare: Callable[[], Prepared]) -> Prepared:
        """Prepare records, and hand alerts and dead letters to the outbox."""
        self._evidence.polled(records, owned.number)
        self._counts["read"] += len(records.values)
        prepared = prepare()
        for alert in prepared.alerts:
            self._outbox.alert(alert)
            what = {"rule": alert.rule, "severity": alert.severity, "value": alert.value, "limit": alert.limit}
            self._log.info("alert", **what, correlation_id=alert.correlation_id)
        for bad in prepared.dead_letters:
            self._outbox.dead_letter(self._config.sensor_topic, bad)
            where = messages.record_id(self._config.sensor_topic, bad.partition, bad.offset)
            self._log.warning("dead_letter", correlation_id=where, error=printable(bad.error))
        return prepared

    def _deliver(self, prepared: Sequence[Prepared]) -> None:
        reached("prepared")
        self._pace.did("preparing")
        try:
            self._outbox.settle(lambda: bool(self._stop))
        except Undelivered as error:
            for one in prepared:
                self._failed(one.batch.partition, error)
            return
        finally:
            self._pace.did("delivering")
        reached("delivered")
        for one in prepared:
            self._commit(one)
        self._pace.did("storing")

    def _commit(self, prepared: Prepared) -> None:
        batch = prepared.batch
        reached("before_store")
        try:
            new = self._store.commit(batch)
        except Fenced as error:
            self._evidence.refused(prepared)
            self._store.note("refused", partition=batch.partition, epoch=batch.epoch, position=batch.from_offset)
            self._failed(batch.partition, error)
            return
        except Exception as error:  # the database says no, or a value cannot even be sent to it
            self._failed(batch.partition, error)
            return
        reached("after_store")
        self._faults.pop(batch.partition, None)
        self._evidence.committed(prepared, new)
        self._assignment.backoff.succeeded()
        self._counts.update(stored=new, alerts=len(prepared.alerts), dead_letters=len(prepared.dead_letters))
        self._counts["duplicates"] += batch.rows - new
        self._log.debug("batch", partition=batch.partition, to_offset=batch.to_offset, rows=new)
        with suppress(KafkaException):  # only lag monitors miss it
            self._consumer.commit(offsets=[self._position(batch)], asynchronous=True)
        reached("after_commit")

    def _failed(self, partition: int, error: Exception) -> None:
        self._counts["errors"] += 1
        what = {"partition": partition, "error_type": type(error).__name__, "error": printable(error)}
        blamed = is_the_records_fault(error)
        if blamed:
            self._faults[partition] = error
        self._log.warning("batch_failed", **what, exc_info=error if blamed else None)
        self._store.note("batch_failed", **what)
        self._assignment.give_up(partition, forgive=not blamed)

    def _position(self, batch: Batch) -> TopicPartition:
        return TopicPartition(self._config.sensor_topic, batch.partition, batch.to_offset)

    def _look(self) -> None:
        """Note down what metrics tell. In this thread: the client lets no other one ask while it polls (2.16)."""
        owned = list(self._assignment.owned.values())
        assigned = len(owned) + len(self._assignment.pending)
        rebalances, gone = self._assignment.rebalances, dict(self._assignment.gone)
        self._metrics.seen = ProcessorCounts(dict(self._counts), rebalances, gone, assigned, self._lag(owned))

    def _lag(self, owned: Sequence[Owned]) -> dict[int, int]:
        """Records that are not stored yet, by partition, as far as the client has heard of the log's end."""
        lag = {}
        for one in owned:
            at = TopicPartition(self._config.sensor_topic, one.partition)
            ends = self._consumer.get_watermark_offsets(at, cached=True)
            if ends and ends[1] >= one.next_offset:  # else the client has not heard of the end for a while
                lag[one.partition] = ends[1] - one.next_offset
        return lag

    def _report(self, event: str) -> None:
        self._log.info(
            event,
            **self._counts,
            lag_records=self._lag(list(self._assignment.owned.values())),
            busy_s=round(self._busy_s, 3),
            cpu_s=round(time.process_time(), 3),
            partitions=sorted(self._assignment.owned),
            waiting=sorted(self._assignment.pending),
            rebalances=self._assignment.rebalances,
        )

    def _leave(self) -> None:
        """Leave the group, at most for CLOSE_S: dead brokers must not hold a process that was told to stop."""
        self._report("stopping")
        thread = threading.Thread(target=self._close_consumer, daemon=True)
        thread.start()
        thread.join(CLOSE_S)
        self._store.note("stop")
        with suppress(LabError, psycopg2.Error):
            self._store.write_notes()
        self._store.close()
        self._log.info("stopped", left_group=not thread.is_alive())

    def _close_consumer(self) -> None:
        topic, owned = self._config.sensor_topic, self._assignment.owned
        positions = [TopicPartition(topic, o.partition, o.next_offset) for o in owned.values() if o.next_offset]
        with suppress(KafkaException):
            if positions:
                self._consumer.commit(offsets=positions, asynchronous=False)
        self._consumer.close()


def records_of(partition: int, share: Sequence[Message]) -> Records:
    """Plain columns of messages of one partition. What came before a step back is left over from before a seek."""
    offsets = np.fromiter((message.offset() for message in share), np.int64, len(share))
    steps_back = np.flatnonzero(np.diff(offsets) <= 0)
    if len(steps_back):
        share, offsets = share[steps_back[-1] + 1 :], offsets[steps_back[-1] + 1 :]
    return Records(partition, offsets, [message.key() for message in share], [message.value() for message in share])


def main(config: ProcessorConfig, logger: logs.Logger, stop: Stop) -> None:
    """Create what is missing in the database, then work."""
    wait_for_schema(config, logger, stop)
    if not stop:
        Processor(config, logger, stop).run()


if __name__ == "__main__":
    run(ProcessorConfig, main)
