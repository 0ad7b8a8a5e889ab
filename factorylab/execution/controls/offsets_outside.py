"""A processor whose alerts are in Kafka transactions, but not the offsets that they belong to. It exists as a control
and for nothing else: killed between the transaction and the store, it raises the same alerts in a second transaction,
and readers of committed records see them twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from confluent_kafka import KafkaException, TopicPartition

from factorylab.factory import json_logs
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import StopSignal, run
from factorylab.factory.processor import processor
from factorylab.factory.processor.outbox import Span
from factorylab.factory.processor.transactional_outbox import TransactionalOutbox


class OffsetsOutside(TransactionalOutbox):
    """In everything else the factory's own. The group's offset is committed afterwards, for lag monitors only."""

    def delivered_to(self, partition: int) -> int:
        self.ready()
        return 0

    def settle(self, hurry: Callable[[], bool], spans: Mapping[int, Span]) -> None:
        super().settle(hurry, spans)
        ends = [TopicPartition(self._config.sensor_topic, partition, end) for partition, (_, end) in spans.items()]
        with suppress(KafkaException):
            self._consumer.commit(offsets=ends, asynchronous=True)

    def _send_offsets(self, spans: Mapping[int, Span]) -> None:
        pass


def main(config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    """Work as configured."""
    processor.main(config, logger, stop, OffsetsOutside)


if __name__ == "__main__":
    run(ProcessorConfig, main)
