"""Runs that something ends, or blinds, on a real cluster: each says what it was, and leaves the lab whole."""

from __future__ import annotations

import os
import signal
import time

import pytest

from factorylab.audit.judged import load
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.errors import UsageError
from factorylab.history import run_folders
from factorylab.report.plots import timeline
from tests.support.disturbances import CALM, DISTURBED_S, carried_out, fired
from tests.support.labs import pid_of


def test_a_frozen_probe_makes_the_run_invalid(cluster: LocalCluster, session_settings: Settings) -> None:
    """A probe that is stopped for twice the time that it promises was blind to everything, by the name of each. Over
    10 s: a whole run."""

    def freeze() -> None:
        pid = pid_of(session_settings.home, "probe")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(DISTURBED_S)
        os.kill(pid, signal.SIGCONT)

    run = carried_out(session_settings, cluster, "steady", freeze)
    assert run.verdict.verdict == "INVALID" and {"probe_alive", "probe_saw"} <= fired(run).keys(), fired(run)
    assert "was not observed from" in fired(run)["probe_saw"]


def test_a_killed_probe_ends_the_run_at_once(cluster: LocalCluster, session_settings: Settings) -> None:
    """Nothing is measured without a probe: the run ends within seconds, and its verdict names the reason."""
    killed_s: list[float] = []

    def kill() -> None:
        killed_s.append(time.monotonic())
        os.kill(pid_of(session_settings.home, "probe"), signal.SIGKILL)

    run = carried_out(session_settings, cluster, "steady", kill)
    assert time.monotonic() - killed_s[0] < CALM.schedule.steady_s and "after" not in run.phases
    assert "the probe ended unasked" in fired(run)["no_problems"], fired(run)


def test_an_interrupted_run_is_not_judged(
    cluster: LocalCluster, session_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C in the steady state there is no verdict, but the phase and the moment, and the journals are loaded
    and drawn. The lab is whole: the next run would pass."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            carried_out(session_settings, cluster, "steady", lambda: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    run = load(run_folders.list_runs(session_settings.results)[-1].path)
    with pytest.raises(UsageError, match="not judged: interrupted in phase steady at"):
        _ = run.verdict
    assert (run.sends["outcome"] == "ok").any() and len(run.partitions) and timeline(run).axes
    assert {str(name) for name in run.processes["name"]} >= {"broker-1", "database", "probe"}
