"""The probe looks at a real cluster."""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from factorylab.cluster import control
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import WorkerSpec
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.waiting import wait_until
from factorylab.execution.probe import ProbeConfig
from factorylab.history.journal import read_journal
from factorylab.history.tables import PartitionSample, ProcessSample
from factorylab.scenarios.model import Topology


def test_the_probe_sees_what_happens_to_brokers(
    cluster: LocalCluster, admin: Admin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against a real cluster: four valid samples a second or more, a paused broker is paused, a killed one is dead."""
    admin.create_topics(["probed"], Topology(profile="safe"))
    admin.wait_full_isr("probed", 60)
    config = ProbeConfig(
        bootstrap=cluster.endpoints.bootstrap,
        topic="probed",
        group="nobody",
        partitions=3,
        home=cluster.home,
        journal_dir=tmp_path,
    )
    cluster.start(
        [WorkerSpec("probe", "probe", "factorylab.execution.probe", config.environ(), tmp_path / "probe.log")]
    )

    def samples(name: str) -> list[ProcessSample]:
        if not (tmp_path / "probe.jsonl").exists():
            return []
        rows = [row for row in read_journal(tmp_path, "probe") if isinstance(row, ProcessSample)]
        return [row for row in rows if row.name == name]

    def seen(name: str, status: str) -> None:
        wait_until(lambda: samples(name) and samples(name)[-1].status == status, what=f"{name} {status}", timeout_s=60)

    try:
        wait_until(lambda: len(samples("probe")) > 30, what="thirty samples", timeout_s=60, every_s=0.2)
        calm_ns = samples("probe")[-1].t_ns
        cluster.inject(1, "broker-2", "pause")
        seen("broker-2", "paused")
        cluster.inject(2, "broker-3", "kill")
        seen("broker-3", "dead")
        cluster.heal()
        seen("broker-2", "running")
        seen("broker-3", "running")
    finally:
        cluster.heal()
        cluster.stop(["probe"])
    rows = [row for row in read_journal(tmp_path, "probe") if isinstance(row, PartitionSample) and row.t_ns < calm_ns]
    moments = sorted(row.t_ns for row in rows if row.partition == 0 and row.valid)
    every_s = statistics.median(b - a for a, b in pairwise(moments)) / 1e9
    own = samples("probe")
    cpu_ms = 1000 * (max(row.cpu_s for row in own) - own[0].cpu_s) / len(own)
    with capsys.disabled():
        print(f"\nprobe: a valid sample every {every_s:.3f} s (median), {cpu_ms:.1f} ms of CPU a sample (n={len(own)})")
    assert every_s <= 0.25
    assert len(moments) > 0.8 * len({row.t_ns for row in rows})
    admin.wait_full_isr("probed", 60)
    assert control.living_state(cluster.home) is not None
