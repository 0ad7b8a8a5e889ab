"""Kafka transactions on a real cluster: a zombie is refused, and what a dead processor left open is ended."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Producer

from factorylab.audit.judged import load
from factorylab.cluster import open_transactions
from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.waiting import wait_until
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.history import run_folders
from factorylab.history.tables import COMMITTED
from factorylab.scenarios.model import Topology, scenario_from
from tests.support.factory_runs import client_config

TRANSACTIONS = {
    "name": "transactions",
    "consumption": "transactional",
    "transactions": {"timeout_s": 2},
    "topology": {"profile": "safe", "partitions": 1},
    "workload": {"rate_per_s": 300, "sensors": 150, "anomaly_rate": 0.3},
    "clients": {"processors": 2, "session_timeout_s": 6},
    "faults": [{"kind": "pause", "target": "owner:0", "hold_s": 14, "step": "in_transaction"}],
    "schedule": {"warm_up_s": 1, "steady_s": 4, "after_s": 1},
}


def test_a_zombie_is_refused_and_alerts_are_committed_once(cluster: LocalCluster, session_settings: Settings) -> None:
    """A processor is frozen with a transaction open until the coordinator has aborted it. What it commits when it goes
    on is refused, its alerts are committed once all the same, and nothing is stored twice. Over 10 s: a whole run, in
    which a group's session and a transaction run out."""
    scenario = scenario_from(TRANSACTIONS, "test")
    folder = run_folders.create(session_settings.results, scenario)
    perform(scenario, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    forget(cluster.endpoints, folder.run_id)
    fired = {check.name: check.measured for check in run.verdict.fired}
    assert not fired.keys() - {"steady_state"}, fired
    assert any(check.name == "alert_not_once" and check.asked for check in run.verdict.checks)
    refused = run.transactions[run.transactions["result"] != COMMITTED]
    frozen = run.faults.loc[run.faults["step"] == "evidence", "node"].iloc[0]
    assert len(refused) and frozen in set(refused["worker"].astype(str))


def test_what_a_dead_processor_left_open_is_ended(cluster: LocalCluster, session_settings: Settings) -> None:
    """Healing begins anew under its id, so that readers of committed records go on at once, and leaves the open
    transaction of a stranger alone."""
    bootstrap, topic = cluster.endpoints.bootstrap, "left-open"
    left = []
    with closing(Admin(bootstrap)) as admin:
        admin.create_topics([topic], Topology(partitions=1))
        for name in ("sensor-processors-gone-processor-9", "payments"):
            producer = Producer({**client_config(bootstrap, "left"), "transactional.id": name})
            producer.init_transactions(20)
            producer.begin_transaction()
            producer.produce(topic, b"x")
            producer.flush(20)
            left.append(producer)
        assert admin.ends(topic, [0], committed=True) == {0: 0}
        assert open_transactions.end(session_settings.home) == [
            "ended the open transaction of sensor-processors-gone-processor-9"
        ]
        assert admin.open_transactions() == ["payments"]
        left[1].abort_transaction(20)
        wait_until(  # both records, and the marker behind each
            lambda: admin.ends(topic, [0], committed=True) == {0: 4}, what="markers of both transactions", timeout_s=20
        )
        admin.delete_topics([topic])
