"""The driver of a run dies in the middle of a fault: nothing is left, and the next lab starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from factorylab.cluster import boot, control, manage
from factorylab.cluster.base import INFRASTRUCTURE
from factorylab.core.waiting import wait_until
from factorylab.history.run_folders import list_runs
from tests.support.drivers import command, driver
from tests.support.labs import left_of, listening, shell, wait_nothing_left
from tests.support.places import ROOT

SCENARIO = """
name: doomed
workload: {rate_per_s: 500, sensors: 30}
faults:
  - {kind: pause, target: "follower:0", at_s: 0, hold_s: 300}
  - {kind: kill, target: "owner:0", at_s: 0, hold_s: 300}
schedule: {warm_up_s: 1, steady_s: 1}
"""
LIBRARY = "import sys\nimport factorylab as lab\nlab.run(lab.scenario(sys.argv[1]))"
BOOTING = "three brokers and PostgreSQL: starting"
STOPPED = "interrupted; the lab was healed and stopped\n"


@pytest.fixture
def env(home: Path, tmp_path: Path) -> dict[str, str]:
    where = {"FACTORYLAB_HOME": str(home), "FACTORYLAB_RESULTS": str(tmp_path / "results"), "PYTHONUNBUFFERED": "1"}
    return shell() | where


def ports_of(home: Path) -> list[int]:
    """The seven ports of the lab: clients' and quorum ports of the brokers, and the database's."""
    first = int(boot.known_endpoints(home).broker(1).rpartition(":")[2])
    return list(range(first, first + 7))


def paused(home: Path) -> list[str]:
    return [n.name for n in control.nodes(home) if n.pid and psutil.Process(n.pid).status() == psutil.STATUS_STOPPED]


def test_a_killed_driver_leaves_nothing(home: Path, env: dict[str, str], tmp_path: Path) -> None:
    """SIGKILL of the driver while a broker is frozen and a processor dead: no process and no port is left, and a new
    lab comes up in the same folder. Over 10 s: two labs start one after the other, the first for a run."""
    scenario, log = tmp_path / "doomed.yaml", tmp_path / "driver.log"
    scenario.write_text(SCENARIO)
    with driver([sys.executable, "-c", LIBRARY, str(scenario)], env, log) as process:
        ports = ports_of(home)
        assert listening(ports) and paused(home)
        process.kill()
        process.wait(30)
        wait_nothing_left(home)
        assert listening(ports) == []
    up = subprocess.run(command("up"), env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (up.returncode, left_of(home) != []) == (0, True), up.stderr
    down = subprocess.run(command("down"), env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert down.returncode == 0 and "broker-1" in down.stdout
    wait_nothing_left(home)
    assert listening(ports) == []


@pytest.mark.parametrize("whom", ["driver", "group"])
def test_an_interrupt_ends_the_lab(home: Path, env: dict[str, str], tmp_path: Path, whom: str) -> None:
    """SIGINT in mid-fault, to the driver alone or by Ctrl-C to its whole group: exit code 130, a last word when nothing
    is left, and the run is there as one that did not finish. Over 10 s: a lab of its own starts for a run, up to its
    faults."""
    scenario, log = tmp_path / "doomed.yaml", tmp_path / "driver.log"
    scenario.write_text(SCENARIO)
    with driver(command("run", str(scenario)), env, log) as process:
        ports = ports_of(home)
        if whom == "driver":
            process.send_signal(signal.SIGINT)
        else:
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, log.read_text()
        assert control.living_state(home) is None
        wait_nothing_left(home)
        assert listening(ports) == []
    assert "Traceback" not in log.read_text()
    assert log.read_text().endswith(STOPPED)
    assert [run.sealed for run in list_runs(tmp_path / "results")] == [False]


@pytest.mark.parametrize("reached", ["", BOOTING, "start: topics"], ids=["at once", "booting", "topics"])
@pytest.mark.parametrize("more", [(), ("--keep",)], ids=["run", "keep"])
def test_an_interrupt_at_the_start_is_answered(
    home: Path, env: dict[str, str], tmp_path: Path, reached: str, more: tuple[str, ...]
) -> None:
    """Ctrl-C at any stage of a start ends with exit code 130, without a traceback, and says what became of the lab: it
    is stopped, or left up where that was asked for and it was up. Over 10 s: a lab of its own starts for a run."""
    scenario, log = tmp_path / "doomed.yaml", tmp_path / "driver.log"
    scenario.write_text(SCENARIO)
    with driver(command("run", str(scenario), *more), env, log, reached) as process:
        if not reached:  # the command itself has begun; before it Python is only loading its own modules
            wait_until((tmp_path / "results").exists if not more else home.joinpath("lock").exists,
                       what="the command to begin", timeout_s=60)  # fmt: skip
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(120) == 130, log.read_text()
    said = log.read_text()
    assert "Traceback" not in said
    if more and reached == "start: topics":
        assert said.endswith("interrupted; the lab was healed and left up: 'factorylab down' ends it\n")
        assert {node.status for node in manage.look(home) if node.role in INFRASTRUCTURE} == {"running"}
        assert said.count(BOOTING) == 1  # the kernel attached to the lab that the command had started
        manage.down(home)
    else:
        assert said.endswith(STOPPED)
        assert control.living_state(home) is None
