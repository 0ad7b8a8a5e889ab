"""What `factorylab status` says of nodes that have ended."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from factorylab.cluster import boot, control, manage
from factorylab.core.files import write_secret
from tests.support.commands import Call, call, results
from tests.support.labs import bare_lab, tiny, wait_said, wait_status

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
