"""A share group on a real cluster: a worker is killed after it stored and before it acknowledged."""

from __future__ import annotations

from contextlib import closing

from factorylab.analysis.deliveries import redeliveries
from factorylab.audit.judged import load
from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.history import run_folders
from factorylab.scenarios.model import scenario_from

QUEUE = {
    "name": "queue",
    "consumption": "share",
    "topology": {"profile": "safe", "partitions": 1},
    "workload": {"rate_per_s": 200, "sensors": 30, "poison_rate": 0.05},
    "clients": {"processors": 3},
    "faults": [{"kind": "kill", "target": "processor:0", "hold_s": 1, "step": "after_store"}],
    "schedule": {"warm_up_s": 1, "steady_s": 4, "after_s": 1},
}


def test_what_comes_twice_is_stored_once(cluster: LocalCluster, session_settings: Settings) -> None:
    """More workers than partitions share the records. Those that the dead one had stored come to another with count 2,
    and are one row each all the same: identity is the fence. Bad records are rejected, and dead letters. The lab can
    tell who keeps the group's state. About 15 s: a whole run."""
    scenario = scenario_from(QUEUE, "test")
    folder = run_folders.create(session_settings.results, scenario)
    perform(scenario, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    with closing(Admin(cluster.endpoints.bootstrap, share_groups=True)) as admin:
        keeper = admin.share_coordinator(run.manifest.group, run.manifest.topics["sensor-data"], 0)
        assert keeper in {view.leader for view in admin.partitions("__share_group_state")}
    forget(cluster.endpoints, folder.run_id)
    assert run.verdict.met, "\n".join(f"{c.name}: {c.measured}" for c in run.verdict.fired)
    again = redeliveries(run)
    assert len(again) and set(again["count"]) == {2} and set(again["to"]) <= {"processor-1", "processor-2"}
    assert run.verdict.counts and run.verdict.counts.duplicates == 0
    assert (run.acknowledgements["kind"] == "reject").any() and len(run.dead_letters)
