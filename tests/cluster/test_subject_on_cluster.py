"""A program under test on a real cluster: its bug is found, and its repaired twin passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.audit.judged import load
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.libpq import plain
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.history import run_folders
from factorylab.scenarios.model import Scenario, scenario_from
from tests.support.places import ROOT

TIMED = {"query": "SELECT sensor_id, seq, at FROM readings", "times": True}


def wanted(first: str, **output: object) -> Scenario:
    """One kill, once the program stands between its two steps."""
    return scenario_from(
        {
            "name": "your_application",
            "variant": f"{first} first",
            "topology": {"profile": "safe"},
            "workload": {"rate_per_s": 100, "sensors": 30},
            "clients": {"processors": 1, "session_timeout_s": 6, "static_members": True},
            "subject": {
                "command": ["{python}", str(ROOT / "tests/support/hanging_consumer.py"), first],
                **output,
            },
            "faults": [{"kind": "kill", "target": "owner:0", "at_s": 2, "hold_s": 1}],
            "schedule": {"warm_up_s": 1, "steady_s": 3, "after_s": 1},
        },
        "test",
    )


@pytest.mark.parametrize(
    ("first", "output", "fired"),
    [("commit", {"output": "topic"}, ["lost_in_pipeline"]), ("write", TIMED, [])],
    ids=["commit first", "write first"],
)
def test_a_kill_between_two_steps_tells_them_apart(
    first: str, output: dict[str, object], fired: list[str], cluster: LocalCluster, session_settings: Settings
) -> None:
    """What was committed and not written is lost, here from a topic; what was written and not committed is written
    once, by the key of its table, whose times tell for how long machines were blind. The database's password is in no
    file of the run. About 15 s each: a whole run."""
    scenario = wanted(first, **output)
    folder = run_folders.create(session_settings.results, scenario)
    perform(scenario, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    forget(cluster.endpoints, folder.run_id)
    told = "\n".join(f"{c.name}: {c.measured}" for c in run.verdict.fired)
    assert [c.name for c in run.verdict.fired] == fired, told
    assert run.verdict.counts and run.verdict.counts.stored > 0
    timed = run.verdict.alerting and run.verdict.alerting.blind.blind_s > 0
    assert bool(timed) == bool(run.verdict.latency) == (output is TIMED)
    assert secret_in(folder.path, plain(cluster.endpoints.database_url)) == []


def secret_in(folder: Path, url: str) -> list[str]:
    """Files that hold the password of a URL."""
    password = url.partition("@")[0].rpartition(":")[2].encode()
    return [file.name for file in folder.rglob("*") if file.is_file() and password in file.read_bytes()]
