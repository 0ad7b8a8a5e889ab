"""The probe looks at processes that live and die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from factorylab.cluster import control
from factorylab.execution import probe as probing
from factorylab.execution.probe import Probe
from factorylab.history.tables import ProcessSample
from tests.support.probed import answers, sampled

__all__ = ["answers"]  # fixtures


def test_only_what_lived_under_the_probe_can_die(
    answers: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that dies while the probe looks is dead from then on; one that was dead before is none of this run."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        nodes = [
            control.Recorded("processor-0", living.pid, psutil.Process(living.pid).create_time()),
            control.Recorded("processor-9", living.pid, 1.0),  # its pid is another process's by now
        ]
        state = control.LabState(nodes[0], 1, nodes)
        monkeypatch.setattr(probing.control, "living_state", lambda home: state)

        def die(probe: Probe) -> bool:
            probe.sample()
            living.kill()
            living.wait(20)
            return True

        rows = [row for row in sampled(tmp_path, die) if isinstance(row, ProcessSample)]
    assert [(row.name, row.status) for row in rows] == [("processor-0", "running"), ("processor-0", "dead")]
