"""A worker of a share group that acknowledges records before it stores them. It exists as a control and for nothing
else: what it has in hand when it is killed was accepted, so that nobody gets it again, and is stored nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Message

from factorylab.factory import json_logs
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.needs import wait_for_schema
from factorylab.factory.process import StopSignal, run
from factorylab.factory.share.worker import Worker


class Hasty(Worker):
    """In everything else the factory's own worker."""

    def work(self, records: Sequence[Message]) -> None:
        self.acknowledge(records)
        self.stored(records)


def main(config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    """Work as configured."""
    wait_for_schema(config, logger, stop)
    if not stop:
        Hasty(config, logger, stop).run()


if __name__ == "__main__":
    run(ProcessorConfig, main)
