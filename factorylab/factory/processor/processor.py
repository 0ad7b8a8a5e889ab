"""A processor: a member of the group that checks, scores and stores readings.

    poll → prepare (decode, check, detect) → alerts and dead letters out and acknowledged → one store transaction
         → offset commit (for lag monitors only) → journal

Rules (those of what was polled are in `polls`, those of a batch in `batches`):
- The position of a partition is the store's, never Kafka's. A partition that is assigned is *taken* in the store; until
  that worked it is paused, and taking is tried again, so a database outage costs no group membership.
- A processor that is told to stop finishes its batch and leaves the group; being killed at any point is as good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import psycopg2
from confluent_kafka import KafkaException, TopicPartition

from factorylab.core.errors import LabError
from factorylab.factory import json_logs
from factorylab.factory.client_errors import ClientDead, raise_if_dead
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.metrics import Endpoint, ProcessorCounts, ProcessorMetrics
from factorylab.factory.needs import wait_for_schema, wait_for_topics
from factorylab.factory.process import StopSignal
from factorylab.factory.processor.batches import Batches
from factorylab.factory.processor.contest import OwnershipLost
from factorylab.factory.processor.member import Member
from factorylab.factory.processor.outbox import Undelivered, printable
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.polls import Polls
from factorylab.factory.processor.transactional_outbox import TransactionalOutbox
from factorylab.factory.processor.warm_up import warm_up
from factorylab.factory.store.crash_points import reached

POLL_S = 0.1
CLOSE_S = 5.0


class Processor:
    """One member of the group."""

    def __init__(
        self,
        config: ProcessorConfig,
        logger: json_logs.Logger,
        stop: StopSignal,
        transactions: type[TransactionalOutbox] = TransactionalOutbox,
    ) -> None:
        member = Member.of(config, logger, transactions)
        self._config, self._log, self._counts, self._stop = config, logger, member.counts, stop
        self._consumer, self._producer = member.consumer, member.producer
        self._store, self._assignment, self._outbox = member.store, member.assignment, member.outbox
        self._pace, self._commits = member.pace, member.commits
        self._polls, self._batches = Polls(member), Batches(member, stop)
        self._busy_s = 0.0
        self._metrics = ProcessorMetrics()

    def run(self) -> None:
        """Work until told to stop, then leave the group.

        Raises:
            ClientDead, OwnershipLost, PositionLost: going on would not help, or harm others; noted in the store.
        """
        self._log.info("start", group=self._config.group, protocol=self._config.protocol)
        self._store.note("start")
        if warning := self._pace.too_short_for(self._config.produce_deadline_s, self._config.store_deadline_s):
            self._log.warning("deadlines", text=warning)
        endpoint = Endpoint(self._config, self._log, self._metrics)
        topics = (self._config.sensor_topic, self._config.alert_topic, self._config.dead_letter_topic)
        wait_for_topics([self._consumer, self._producer], topics, self._log, self._stop)
        with suppress(Undelivered):  # it is tried again when partitions are taken
            self._outbox.ready()
        self._assignment.subscribe()
        report_at = time.monotonic() + self._config.report_every_s
        try:
            while not self._stop:
                self._round()
                self._look()
                if time.monotonic() >= report_at:
                    report_at += self._config.report_every_s
                    self._report("counters")
        except ClientDead as error:
            self._store.note("client_dead", error=str(error))
            self._assignment.end()
            raise
        except OwnershipLost as error:
            self._store.note("ownership_lost", error=str(error))
            raise
        finally:
            endpoint.close()
            self._leave()

    def _round(self) -> None:
        if self._pace.late:
            self._too_slow()
        self._outbox.poll()  # for its log lines: batches without an alert do not wait for it
        first = self._consumer.poll(POLL_S)
        if first is not None:  # before anything is taken: a dead member owns nothing
            raise_if_dead(first.error())
        self._commits.send(self._consumer, self._assignment.owned)  # what waited for an answer
        self._pace.begin()
        self._assignment.take_pending()
        self._pace.did("taking")
        if first is None:
            return
        polled = [first, *self._consumer.consume(self._config.batch_records - 1, self._config.batch_wait_s)]
        self._pace.polled()
        reached("polled")
        self._batches.work(self._polls.shares(polled))
        self._busy_s += self._pace.round_s
        self._metrics.batch_s.observe(self._pace.round_s)

    def _too_slow(self) -> None:
        """One of the coming polls hears that the partitions are lost, and joins the group again."""
        why = {"round_s": round(self._pace.round_s, 3), "explanation": self._pace.explain()}
        self._log.warning("too_slow", **why)
        self._store.note("too_slow", **why)
        self._assignment.expect_loss("too_slow")

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
        self._commits.send_last(self._consumer, self._assignment.owned)
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
            if positions and self._config.transaction_timeout_s is None:
                self._consumer.commit(offsets=positions, asynchronous=False)
        self._consumer.close()


def main(
    config: ProcessorConfig,
    logger: json_logs.Logger,
    stop: StopSignal,
    transactions: type[TransactionalOutbox] = TransactionalOutbox,
) -> None:
    """Create what is missing in the database, then work."""
    try:
        warm_up()
    except Exception as error:  # a bug in a detector is not dealt with here, but where real records meet it
        logger.warning("warm_up", error=printable(error))
    wait_for_schema(config, logger, stop)
    if not stop:
        Processor(config, logger, stop, transactions).run()
