"""Runs in which something happens that nobody declared."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from factorylab.audit.judged import JudgedRun, load
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.waiting import wait_until
from factorylab.execution.runner import perform
from factorylab.history import run_folders
from factorylab.history.journal import journal_path
from factorylab.scenarios.model import Scenario, Schedule, Workload

DISTURBED_S = 4.0  # twice what the probe promises
CALM = Scenario(
    name="interrupted",
    workload=Workload(rate_per_s=300, sensors=30),
    schedule=Schedule(warm_up_s=1, steady_s=DISTURBED_S + 3, after_s=2),
)
BUSY = "while True: pass"


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
    """What each check that fired found."""
    return {check.name: check.measured for check in run.verdict.fired}


def starve(pid: int) -> None:
    """For DISTURBED_S a process gets what a real-time one leaves of their CPU: next to nothing. (An ordinary one of
    another session leaves half, where the scheduler divides CPUs among sessions.)"""
    cpus = os.sched_getaffinity(pid)
    threads = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        for thread in (busy.pid, *threads):
            os.sched_setaffinity(thread, {min(cpus)})
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setscheduler(busy.pid, os.SCHED_RR, os.sched_param(1))
        time.sleep(DISTURBED_S)
    finally:
        busy.kill()
        busy.wait()
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(thread, cpus)
