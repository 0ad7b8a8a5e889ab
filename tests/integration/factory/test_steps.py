"""The steps of a processor's work: nothing unless ordered, then exactly there, and once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from factorylab.core.waiting import wait_until
from factorylab.factory.store import crash_points
from tests.support.labs import shell

WORKER = """
from factorylab.factory.store.crash_points import reached
print("here", flush=True)
for step in ("polled", "prepared", "polled"):
    reached(step)
    print(step, flush=True)
"""


def worker(**given: str) -> subprocess.Popen[str]:
    """A process that goes through three steps; it has said that it is there."""
    env = shell() | given
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    return process


def rest(process: subprocess.Popen[str]) -> str:
    """What it says until it has ended; some of it may have been read ahead."""
    assert process.stdout is not None
    with process.stdout as said:
        words = said.read()
    process.wait(30)
    return words


@pytest.fixture
def ordered(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """One that was ordered to stop at its second step."""
    crash_points.order(tmp_path, "processor-0", "prepared")
    process = worker(FACTORYLAB_STEPS_DIR=str(tmp_path), FACTORYLAB_WORKER="processor-0")
    yield process
    process.kill()
    process.wait(30)


def test_a_worker_stops_at_the_ordered_step_and_only_once(ordered: subprocess.Popen[str], tmp_path: Path) -> None:
    """It passes the steps before, stands at the ordered one with the order gone, and once resumed goes to its end."""
    seen = psutil.Process(ordered.pid)
    wait_until(lambda: seen.status() == psutil.STATUS_STOPPED, what="the worker to stop", timeout_s=30)
    assert ordered.stdout is not None and ordered.stdout.readline() == "polled\n"
    assert not crash_points.order_file(tmp_path, "processor-0").exists()
    seen.resume()
    assert rest(ordered) == "prepared\npolled\n" and ordered.returncode == 0


@pytest.mark.parametrize("given", [{}, {"FACTORYLAB_WORKER": "processor-1"}, {"FACTORYLAB_STEPS_DIR": ""}])
def test_nobody_else_stops(tmp_path: Path, given: dict[str, str]) -> None:
    """An order for another worker, or no folder of orders, stops nobody."""
    crash_points.order(tmp_path, "processor-0", "polled")
    named = {"FACTORYLAB_STEPS_DIR": str(tmp_path)} if "FACTORYLAB_WORKER" in given else {}
    process = worker(**named | given)
    assert rest(process) == "polled\nprepared\npolled\n"
    assert crash_points.order_file(tmp_path, "processor-0").read_text() == "polled"
