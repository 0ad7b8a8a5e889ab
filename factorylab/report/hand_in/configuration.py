"""The effective configuration of several runs, side by side: what all have is told once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from factorylab.report.hand_in.told_run import ToldRun

OF_BROKERS = (
    "broker.heartbeat.interval.ms", "broker.session.timeout.ms", "group.initial.rebalance.delay.ms",
    "replica.lag.time.max.ms", "unclean.leader.election.enable",
)  # fmt: skip
OF_TOPIC = ("cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.ms", "segment.bytes")
PER_PROCESS = {"bootstrap.servers", "client.id"}  # another in each process or lab
NOT_RECORDED = "not recorded"


def shown(runs: Sequence[ToldRun]) -> dict[str, list[dict[str, str]]]:
    """Part → rows of setting and value: those that decide how the runs behave. All of them: `as_csv`."""
    parts = {
        "what it ran on": [_on(told) for told in runs],
        "topology and clients": [_declared(told) for told in runs],
        "producer": [_without(told.manifest.producer) for told in runs],
        "consumer": [_without(told.manifest.consumer) for told in runs],
        "topic sensor-data": [_only(told.manifest.topic_config, OF_TOPIC) for told in runs],
        "brokers": [_only(told.manifest.broker_config, OF_BROKERS) for told in runs],
    }
    ids = [told.verdict.run_id for told in runs]
    return {part: list(_rows(dict(zip(ids, found, strict=True)))) for part, found in parts.items()}


def as_csv(runs: Sequence[ToldRun]) -> str:
    """Every setting that was recorded: run, part, setting, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("run", "part", "setting", "value"))
    for told in runs:
        m = told.manifest
        parts = {"producer": m.producer, "consumer": m.consumer, "topic": m.topic_config, "broker": m.broker_config}
        parts |= {worker: {name: str(value) for name, value in of.items()} for worker, of in m.workers.items()}
        writer.writerows((m.run_id, part, k, v) for part, of in parts.items() for k, v in sorted(of.items()))
    return out.getvalue()


def _on(told: ToldRun) -> dict[str, str]:
    m = told.manifest
    host = {"cores": str(m.host.cores), "memory": f"{m.host.memory_bytes / 2**30:.1f} GiB", "system": m.host.system}
    return {"backend": m.backend, "commit": m.commit, **host, **dict(sorted(m.versions.items()))}


def _declared(told: ToldRun) -> dict[str, str]:
    scenario = told.run.scenario
    declared = {"partitions": scenario.topology.partitions, "replicas": scenario.topology.replication}
    declared |= {"processors": scenario.clients.processors, "fleets": scenario.workload.fleets}
    declared |= {"sensors": scenario.workload.sensors}
    words = {"group protocol": scenario.clients.protocol, "acks": scenario.clients.acks}
    return {name: f"{count:,}" for name, count in declared.items()} | words


def _without(config: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in sorted(config.items()) if name not in PER_PROCESS}


def _only(config: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: config.get(name, NOT_RECORDED) for name in names}


def _rows(found: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, str]]:
    for name in dict.fromkeys(name for of in found.values() for name in of):
        yield {"setting": name, "value": same_or_each({run: of.get(name, NOT_RECORDED) for run, of in found.items()})}


def same_or_each(values: Mapping[str, str]) -> str:
    """A value that all runs have, or each with the runs that have it."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    runs_of = {value: [run for run, had in values.items() if had == value] for value in values.values()}
    return "; ".join(f"{value} ({', '.join(runs)})" for value, runs in runs_of.items())
