"""What one member of the group works with, made from its configuration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Producer

from factorylab.factory import json_logs
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.processor.assignment import Assignment
from factorylab.factory.processor.contest import Contests
from factorylab.factory.processor.offset_commits import OffsetCommits
from factorylab.factory.processor.outbox import Outbox
from factorylab.factory.processor.pace import POLL_INTERVAL, POLL_INTERVAL_MS, Pace
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.processor.transactional_outbox import TransactionalOutbox
from factorylab.factory.profiles import alert_producer, new_client, processor_consumer
from factorylab.factory.store.store import Store
from factorylab.history.journal import Journal


@dataclass(frozen=True)
class Member:
    """`counts` are those of the process, as metrics and log tell them."""

    config: ProcessorConfig
    log: json_logs.Logger
    consumer: Consumer
    producer: Producer
    store: Store
    outbox: Outbox
    assignment: Assignment
    commits: OffsetCommits
    evidence: ProcessorJournal
    pace: Pace
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, config: ProcessorConfig, logger: json_logs.Logger, transactions: type[TransactionalOutbox]) -> Member:
        """As it is configured; nothing is connected yet. `transactions` sends where it is to work in such."""
        journal = Journal(config.journal_dir, config.worker, "processor") if config.journal_dir else None
        evidence = ProcessorJournal(config.worker, journal)
        store = Store(
            config.database_url.get_secret_value(),
            config.db_schema,
            config.sensor_topic,
            config.worker,
            config.store_deadline_s,
        )
        settings = processor_consumer(config)
        contests = Contests()
        commits = OffsetCommits(config.sensor_topic, contests)
        consumer = new_client(Consumer, settings, logger, on_commit=commits.heard)
        pace = Pace(float(settings.get(POLL_INTERVAL, POLL_INTERVAL_MS)) / 1000)
        producer = new_client(Producer, alert_producer(config), logger)
        topics = config.alert_topic, config.dead_letter_topic
        if config.transaction_timeout_s is None:
            outbox = Outbox(producer, *topics, config.produce_deadline_s)
        else:
            outbox = transactions(producer, consumer, config, logger, evidence)
        assignment = Assignment(
            consumer,
            config.sensor_topic,
            incremental=config.protocol != "range",
            store=store,
            evidence=evidence,
            logger=logger,
            contests=contests,
            delivered_to=outbox.delivered_to,
        )
        return cls(config, logger, consumer, producer, store, outbox, assignment, commits, evidence, pace)
