"""The driver is killed at every step of a fault, on both backends: the lab heals itself each time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from factorylab.cluster import boot, manage, ready
from factorylab.cluster.admin import Admin
from factorylab.cluster.backend_registry import BackendName
from factorylab.cluster.backends import bring_up
from factorylab.cluster.settings import Settings
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.scenarios.model import Topology
from tests.support.isolation import trouble
from tests.support.labs import left_of, shell

HEALED_WITHIN_S = 30.0
AMID_S = 0.03  # so long after a step the kill comes into the middle of what follows it
DRIVER = """
import os, signal, sys, threading, time
from pathlib import Path
from factorylab.cluster.admin import Admin
from factorylab.cluster.backends import bring_up
from factorylab.cluster.faults.inject import Timeline
from factorylab.cluster.faults.targets import Roles
from factorylab.core.names import Names
from factorylab.scenarios.model import Fault
from factorylab.cluster.settings import load_settings

home, backend, last, amid_s = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
lab = bring_up(load_settings().model_copy(update={"home": home, "backend": backend}), isolated=True, keep=True)
steps = []
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

def write(step):
    steps.append(step)
    if len(steps) - 1 == last:
        print(step.step, step.kind, step.node, flush=True)
        threading.Timer(amid_s, die).start() if amid_s else die()

faults = [Fault(kind="pause", target="broker:1", hold_s=1), Fault(kind="partition", target="broker:2", hold_s=1),
          Fault(kind="kill", target="database", hold_s=1)]
names = Names.of()
Timeline(lab, Roles(Admin(lab.endpoints.bootstrap), names.sensors, names.group), write, print).play(faults, 1)
print("no step", last, flush=True)
time.sleep(600)
"""
STEPS = ("intended", "injected", "evidence") * 3 + ("healing", "healed") * 3
ACTED_UPON = ("intended", "healing")  # the steps that something is done after


def points() -> list[tuple[int, float]]:
    """Every step, and the middle of every injection and healing."""
    return [(n, amid) for n, step in enumerate(STEPS) for amid in ((0, AMID_S) if step in ACTED_UPON else (0,))]


@pytest.fixture(params=["local", pytest.param("compose", marks=pytest.mark.compose)])
def settings(request: pytest.FixtureRequest, labs_folder: Path, session_settings: Settings) -> Iterator[Settings]:
    """Those of a lab with topics that is up, used by nobody, and stays."""
    backend: BackendName = request.param
    if backend == "local" and (why := trouble()):
        pytest.skip(why)
    mine = session_settings.model_copy(update={"home": labs_folder / f"walk-{backend}", "backend": backend})
    lab = bring_up(mine, isolated=True, keep=True)
    with closing(Admin(lab.endpoints.bootstrap)) as admin:
        if not admin.topics():
            admin.create_topics(Names.of().topics, Topology(profile="safe"))
    lab.close(keep=True)
    yield mine
    manage.down(mine.home, force=True)
    assert left_of(mine.home) == []


def die_at(settings: Settings, step: int, amid_s: float) -> str:
    """A driver that was killed at a step of its faults; gives the step."""
    words = [str(settings.home), settings.backend, str(step), str(amid_s)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *words],
        stdout=subprocess.PIPE, text=True, env=shell(), timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stdout
    return next(line for line in done.stdout.splitlines() if line.startswith(STEPS[step]))


def wait_healed(settings: Settings) -> None:
    """Nobody is paused or dead without anybody's help, and a next driver finds every link open."""
    home = settings.home
    wait_until(
        lambda: {node.status for node in manage.look(home)} == {"running"} and not list(home.glob("undo/*")),
        what="all to run", timeout_s=HEALED_WITHIN_S, last_seen=lambda: str(manage.look(home)),
    )  # fmt: skip
    with bring_up(settings, keep=True) as lab:
        assert lab.was_up
        wait_until(lambda: (links := lab.reach()) and all(link.ok for link in links),
                   what="every link to be open", timeout_s=HEALED_WITHIN_S)  # fmt: skip


def test_a_driver_killed_at_any_step_leaves_nothing_broken(settings: Settings) -> None:
    """SIGKILL of the driver at each step of a pause, a partition and a kill, and in the middle of each injection and
    healing: within 30 s nothing is paused, cut or dead, and another driver can use the lab. Over 10 s: a driver for
    each step, and a whole lab after each."""
    for step, amid_s in points():
        what = die_at(settings, step, amid_s)
        since = time.monotonic()
        wait_healed(settings)
        took = time.monotonic() - since
        print(f"{what}{' (amid)' * bool(amid_s)}: whole after {took:.1f} s")
        assert took < HEALED_WITHIN_S, what
    ready.wait_ready(settings.home, boot.known_endpoints(settings.home))
