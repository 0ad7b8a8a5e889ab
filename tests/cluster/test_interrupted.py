"""Runs that something ends, or blinds, on a real cluster: each says what it was, and leaves the lab whole."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from factorylab.audit.judged import JudgedRun, load
from factorylab.cluster import control
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.errors import UsageError
from factorylab.core.waiting import wait_until
from factorylab.execution.runner import perform
from factorylab.history import run_folders
from factorylab.history.journal import journal_path
from factorylab.report.plots import timeline
from factorylab.scenarios.model import Scenario, Schedule, Workload

FROZEN_S = 4.0  # twice what the probe promises
CALM = Scenario(
    name="interrupted",
    workload=Workload(rate_per_s=300, sensors=30),
    schedule=Schedule(warm_up_s=1, steady_s=FROZEN_S + 3, after_s=2),
)


def probe_of(home: Path) -> int:
    state = control.living_state(home)
    assert state is not None
    return next(child.pid for child in state.children if child.name == "probe")


def carried_out(settings: Settings, cluster: LocalCluster, phase: str, act: Callable[[], object]) -> JudgedRun:
    """A run in which `act` is done, by another thread, once a phase has begun."""
    folder = run_folders.create(settings.results, CALM)
    journal = journal_path(folder.journals, "runner")

    def later() -> None:
        begun = f'"phase":"{phase}"'
        wait_until(lambda: journal.exists() and begun in journal.read_text(), what=phase, timeout_s=90)
        act()

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    try:
        perform(CALM, folder, cluster, settings.home, print)
    finally:
        thread.join()
    return load(folder.path)


def fired(run: JudgedRun) -> dict[str, str]:
    return {check.name: check.measured for check in run.verdict.fired}


def test_a_frozen_probe_makes_the_run_invalid(cluster: LocalCluster, session_settings: Settings) -> None:
    """A probe that is stopped for twice the time that it promises was blind to everything, by the name of each. Over
    10 s: a whole run."""

    def freeze() -> None:
        pid = probe_of(session_settings.home)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.kill(pid, signal.SIGCONT)

    run = carried_out(session_settings, cluster, "steady", freeze)
    assert run.verdict.verdict == "INVALID" and {"probe_alive", "probe_saw"} <= fired(run).keys(), fired(run)
    assert "was not observed from" in fired(run)["probe_saw"]


def test_a_killed_probe_ends_the_run_at_once(cluster: LocalCluster, session_settings: Settings) -> None:
    """Nothing is measured without a probe: the run ends within seconds, and its verdict names the reason."""
    killed_s: list[float] = []

    def kill() -> None:
        killed_s.append(time.monotonic())
        os.kill(probe_of(session_settings.home), signal.SIGKILL)

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
