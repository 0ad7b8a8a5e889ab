"""What the commands about the lab say: states of nodes, and what starts once is said once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from factorylab.cluster import boot, control, manage
from factorylab.cluster.driver import STARTING
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.files import write_secret
from factorylab.execution.perform import milestones
from tests.support.labs import bare_lab, tiny, wait_said, wait_status
from tests.unit.cli.test_cli import Call, call, results

__all__ = ["call", "results"]  # fixtures

POLITE = (
    "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    "print('here', flush=True)\nwhile True: time.sleep(0.05)"
)


def test_what_ended_as_asked_is_not_dead(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was told to stop is `ended` with its exit code; one that was killed, and a broker that is gone for
    whatever reason, is `dead`."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(home))
    bare_lab(home)
    write_secret(home / boot.ENDPOINTS, json.dumps({"bootstrap": "a:1", "database_url": "postgresql://h/d"}))
    names = ("processor-0", "processor-1", "fleet-0", "broker-1")
    control.ask(home, control.Start([tiny(name, home, POLITE) for name in names]))
    for name in names:
        wait_said(home / "logs" / f"{name}.log", "here")
    control.ask(home, control.Stop(["processor-0", "broker-1"]))
    os.kill(wait_status(home, "processor-1", "running").pid or 0, signal.SIGKILL)
    wait_status(home, "processor-1", "dead")
    try:
        seen = {node["name"]: node for node in json.loads(call("status", "--json")[1])["nodes"]}
        lines = {line.split()[0]: line.split()[1:3] for line in call("status")[1].splitlines()[1:5]}
    finally:
        manage.down(home)
    assert {name: (node["status"], node["exit_code"]) for name, node in seen.items()} == {
        "processor-0": ("ended", 0),
        "processor-1": ("dead", -signal.SIGKILL),
        "fleet-0": ("running", None),
        "broker-1": ("dead", 0),
    }
    assert lines["processor-0"] == ["ended", "0"] and lines["processor-1"] == ["dead", "-9"]


def test_a_kept_lab_starts_once(home: Path, session_settings: Settings) -> None:
    """Who attaches to a lab that is up does not say that brokers are starting, and no line comes twice."""
    settings = session_settings.model_copy(update={"home": home})
    said: list[str] = []
    try:
        for _ in ("the command", "the kernel"):
            LocalCluster.up(settings, keep=True, progress=milestones(said.append)).close(keep=True)
    finally:
        manage.down(home)
    assert [line for line in said if line.startswith(STARTING)] == [f"{STARTING}: starting", f"{STARTING}: done"]
    assert len(said) == len(set(said))


def test_progress_is_told_as_news() -> None:
    """News is said as it is; of what takes long the beginning, each quarter and the end are told."""
    said: list[str] = []
    progress = milestones(said.append)
    progress("backend local: no engine", 0, 0)
    for done in range(9):
        progress("jars", done, 8)
    assert said == ["backend local: no engine", "jars: 0 of 8", *(f"jars: {n} of 8" for n in (2, 4, 6)), "jars: done"]
