"""One exposition for the whole lab: the workers' exporters, with the label `worker`, and what the page watches."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from factorylab.core.errors import LabError
from factorylab.operations.live.exporters import Exporters, merged
from factorylab.operations.live.moments import Moment

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Told(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def exposition(moment: Moment | None, exporters: Exporters) -> bytes:
    """In Prometheus' text format. A worker that does not answer within half a second is named with `worker_up` 0."""
    try:
        texts = exporters.texts()
    except LabError:
        texts = {}
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told([*of_lab(moment), _answers(texts), *merged(texts)]))
    return generate_latest(registry)


def _answers(texts: dict[str, str | None]) -> Metric:
    found = _family("worker_up", "Whether the worker's exporter answers.", "worker")
    for worker, text in texts.items():
        found.add_metric([worker], float(text is not None))
    return found


def of_lab(moment: Moment | None) -> Iterator[Metric]:
    """What is not known has no sample."""
    up = _family("lab_up", "Whether the lab's supervisor lives and answers.")
    up.add_metric([], float(moment is not None and moment.lab == "up"))
    yield up
    if moment is None:
        return
    nodes = _family("node_running", "Whether a node of the lab runs, by its name and role.", "node", "role")
    for node in moment.nodes:
        nodes.add_metric([node.name, node.role], float(node.status == "running"))
    yield nodes
    leader = _family("partition_leader", "The broker that leads; -1 without one.", "partition")
    isr = _family("partition_in_sync_replicas", "Replicas in sync.", "partition")
    records = _family("lag_records", "Records in the log that are not stored yet.", "partition")
    seconds = _family("lag_seconds", "How long ago the log had what is stored now.", "partition")
    for one in moment.partitions:
        labels = [str(one.partition)]
        if one.leader is not None:
            leader.add_metric(labels, one.leader)
            isr.add_metric(labels, len(one.isr))
        for family, value in ((records, one.lag_records), (seconds, one.lag_s)):
            if value is not None:
                family.add_metric(labels, value)
    yield from (leader, isr, records, seconds)
    faults = _family("faults_held", "Faults that are not healed.")
    faults.add_metric([], len(moment.faults))
    yield faults
    for name, text, number in (
        ("alerts_stored", "Alerts in the store.", moment.alerts),
        ("dead_letters", "Records that the topic of dead letters ever got.", moment.dead_letters),
    ):
        family = _family(name, text)
        if number is not None:
            family.add_metric([], number)
            yield family
    ages = _family("answer_age_seconds", "How old the latest answer to a question is.", "question")
    for question, age_s in moment.ages_s.items():
        if age_s is not None:
            ages.add_metric([question], age_s)
    yield ages


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"factorylab_{name}", text, labels=labels)
