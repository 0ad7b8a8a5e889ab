"""Controls of the measuring side on a real cluster: what disturbs a run makes it INVALID, by name, and the same run
passes without it."""

from __future__ import annotations

import os

import pytest

from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.execution import workers
from tests.support import stepped_clock
from tests.support.disturbances import carried_out, fired, starve
from tests.support.labs import pid_of


def test_an_undisturbed_run_passes(cluster: LocalCluster, session_settings: Settings) -> None:
    """The twin of all others: nothing is done, and nothing fires. Over 10 s: a whole run."""
    run = carried_out(session_settings, cluster, "steady", lambda: None)
    assert run.verdict.verdict == "PASS", fired(run)


def test_a_starved_fleet_is_the_limit(cluster: LocalCluster, session_settings: Settings) -> None:
    """A fleet that gets next to no CPU for 4 s offers late: the generator is blamed, and nothing else. Over 10 s: a
    whole run."""
    if os.geteuid():
        pytest.skip("only root may give a process real-time priority")
    run = carried_out(session_settings, cluster, "steady", lambda: starve(pid_of(session_settings.home, "fleet-0")))
    assert run.verdict.verdict == "INVALID" and "kept_rate" in fired(run), fired(run)


def test_a_broker_that_somebody_else_restarts_is_noticed(cluster: LocalCluster, session_settings: Settings) -> None:
    """A restart that the scenario does not declare is named with its broker. Over 10 s: a whole run."""
    run = carried_out(session_settings, cluster, "steady", lambda: cluster.inject(7, "broker-2", "restart"))
    assert run.verdict.verdict == "INVALID", fired(run)
    assert "broker-2 is another process from" in fired(run).get("undisturbed", ""), fired(run)


def test_a_stepped_clock_is_blamed_by_name(
    cluster: LocalCluster, session_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the fleet's clock is 5 s ahead, the run is INVALID by its clock, and nothing is held against the system.
    Over 10 s: a whole run."""
    if trouble := stepped_clock.trouble():
        pytest.skip(trouble)
    monkeypatch.setattr(workers, "FLEET", stepped_clock.__name__)
    run = carried_out(session_settings, cluster, "steady", lambda: None)
    assert run.verdict.verdict == "INVALID" and "fleet-0" in fired(run).get("one_clock", ""), fired(run)
