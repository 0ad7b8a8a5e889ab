"""The standing factory of a lab that stays up: a fleet for each kind of sensor and two processors.

Its processes have names of their own, so that runs on the same lab can have their `fleet-0` and `processor-0`. On
Docker they are the services of the same names in compose.yaml.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Cluster, WorkerSpec
from factorylab.cluster.settings import load_settings
from factorylab.core.messages import SENSOR_KINDS
from factorylab.core.names import Names
from factorylab.core.programs import FLEET, PROCESSOR
from factorylab.core.waiting import wait_until
from factorylab.execution.setup import create_topics_and_tables
from factorylab.execution.workers import FLUSH_S
from factorylab.factory.config import FleetConfig, ProcessorConfig
from factorylab.scenarios.model import Topology

PROCESSORS = ("processor-a", "processor-b")
TOGETHER_S = 90.0
ANY_PORT = 0  # several share this host; 'factorylab status' tells which they took


def start(cluster: Cluster, home: Path) -> None:
    """Start what of the standing factory does not run, and wait until its processors own all partitions.

    Raises:
        StartFailed: a process ended at once, with its last words.
        WaitTimeout: the group did not come together.
    """
    create_topics_and_tables(cluster.endpoints, Topology(), load_settings().reader_password)
    running = {node.name for node in cluster.nodes() if node.pid}
    cluster.start_factory([worker for worker in _workers(cluster, home) if worker.name not in running])
    names = Names.of()
    with closing(Admin(cluster.endpoints.bootstrap)) as admin:
        wait_until(
            lambda: set(admin.group(names.group).owners) == set(range(Topology().partitions)),
            what=f"{' and '.join(PROCESSORS)} to own all partitions",
            timeout_s=TOGETHER_S,
            every_s=0.5,
            last_seen=lambda: str(admin.group(names.group)),
        )


def _workers(cluster: Cluster, home: Path) -> list[WorkerSpec]:
    inside = cluster.worker_endpoints
    fleets = [
        FleetConfig(
            bootstrap=inside.bootstrap,
            worker=f"fleet-{kind}",
            fleet=f"{i}/{len(SENSOR_KINDS)}",
            label_topic="labels",
            metrics_port=ANY_PORT,
        )
        for i, kind in enumerate(SENSOR_KINDS)
    ]
    processors = [
        ProcessorConfig(
            bootstrap=inside.bootstrap,
            database_url=SecretStr(inside.database_url),
            worker=name,
            metrics_port=ANY_PORT,
        )
        for name in PROCESSORS
    ]
    found = [WorkerSpec(c.worker, "fleet", FLEET, c.environ(), _log(home, c.worker), FLUSH_S) for c in fleets]
    return found + [WorkerSpec(c.worker, "processor", PROCESSOR, c.environ(), _log(home, c.worker)) for c in processors]


def _log(home: Path, worker: str) -> Path:
    return home / "logs" / f"{worker}.jsonl"
