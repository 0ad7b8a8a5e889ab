"""The topics under a prefix as a cluster has them now."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import DescribeConfigsRequest

from factorylab.cluster.asking.answers import Topic
from factorylab.cluster.broker_line import BrokerLine

TOPIC = 2  # resource type
MIN_ISR = "min.insync.replicas"


def topics_of(line: BrokerLine, metadata: Any, prefix: str) -> list[Topic]:
    """Those of an answer with all topics whose names begin so."""
    mine = [topic for topic in metadata.topics if (topic.name or "").startswith(prefix)]
    least = _min_isr(line, [topic.name for topic in mine]) if mine else {}
    return [_topic(topic, least.get(topic.name)) for topic in sorted(mine, key=lambda topic: topic.name)]


def _topic(topic: Any, min_isr: int | None) -> Topic:
    parts = sorted(topic.partitions, key=lambda one: one.partition_index)
    below = [one.partition_index for one in parts if min_isr is not None and len(one.isr_nodes) < min_isr]
    return Topic(topic.name, len(parts), max((len(one.replica_nodes) for one in parts), default=0), min_isr, below)


def _min_isr(line: BrokerLine, names: list[str]) -> dict[str, int]:
    """By topic, where the cluster tells."""
    resource = DescribeConfigsRequest.DescribeConfigsResource
    wanted = [resource(resource_type=TOPIC, resource_name=name, configuration_keys=[MIN_ISR]) for name in names]
    answer = line.ask(DescribeConfigsRequest(resources=wanted))
    return {
        one.resource_name: int(setting.value)
        for one in answer.results
        if not one.error_code
        for setting in one.configs
        if setting.value is not None
    }
