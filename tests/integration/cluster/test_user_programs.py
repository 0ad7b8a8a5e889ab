"""A program of the user's as a child of a lab: its output, its children, and its end."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest

from factorylab.cluster import control, driver
from factorylab.cluster.base import WorkerSpec
from factorylab.cluster.driver import process_of
from factorylab.cluster.family import family, mark_of
from factorylab.core.waiting import wait_until
from tests.support.labs import bare_lab, wait_said

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
print("here", flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(600)
"""
FLOOD = """
import sys
line = "x" * 999
for _ in range(500):
    print(line)
print("the last line", flush=True)
print("here", file=open(sys.argv[1], "w"), flush=True)
"""


@pytest.fixture
def lease(home: Path):
    """A lab of this test, held by this process."""
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        yield line


def spec(home: Path, code: str, *arguments: str, stop_s: float = 5) -> WorkerSpec:
    command = (sys.executable, "-c", code, *arguments)
    log, mark = home / "logs" / "processor-0.jsonl", mark_of(home, "processor-0")
    return WorkerSpec("processor-0", "processor", "", {"MINE": "yes"}, log, stop_s, command=command, family=mark)


def start(home: Path, worker: WorkerSpec) -> Path:
    control.ask(home, control.Start([process_of(worker)]))
    return worker.log


def stop(home: Path) -> int | None:
    raw = control.ask(home, control.Stop(["processor-0"]))
    return msgspec.json.decode(raw, type=dict[str, int | None])["processor-0"]


def exit_code(home: Path) -> int | None:
    return next(node for node in control.nodes(home) if node.name == "processor-0").exit_code


def members(home: Path) -> list[psutil.Process]:
    return family(mark_of(home))


@pytest.mark.usefixtures("lease")
def test_a_daemon_that_it_began_ends_with_it(home: Path) -> None:
    """A child that left its session and its parent is found by its mark, and is gone when the program was stopped."""
    wait_said(start(home, spec(home, DAEMON)), "here")
    wait_until(lambda: len(members(home)) == 2, what="program and daemon", timeout_s=20)
    stop(home)
    assert members(home) == []


@pytest.mark.usefixtures("lease")
def test_a_kill_is_a_kill_of_all(home: Path) -> None:
    """A killed program leaves nobody behind that would go on in its place."""
    wait_said(start(home, spec(home, DAEMON)), "here")
    wait_until(lambda: len(members(home)) == 2, what="program and daemon", timeout_s=20)
    control.ask(home, control.Inject(0, "processor-0", "kill"))
    wait_until(lambda: members(home) == [], what="nobody to be left", timeout_s=20)


@pytest.mark.usefixtures("lease")
def test_who_ignores_sigterm_is_killed(home: Path) -> None:
    """The exit code says that it had to be, and its time is the one that it was given."""
    wait_said(start(home, spec(home, STUBBORN, stop_s=0.2)), "here")
    assert stop(home) is None and members(home) == []


@pytest.mark.usefixtures("lease")
def test_a_flood_ends_at_its_limit(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log is bounded and says so, and the program, whose output is read on, comes to its end."""
    monkeypatch.setattr(driver, "LOG_BYTES", 10_000)
    done = tmp_path / "done"
    log = start(home, spec(home, FLOOD, str(done)))
    wait_until(lambda: exit_code(home) == 0 and done.exists(), what="its end", timeout_s=20)
    wait_said(log, "what it printed after 10000 bytes was left out")
    assert log.stat().st_size < 10_100


@pytest.mark.usefixtures("lease")
def test_it_gets_its_own_environment_and_no_more(home: Path) -> None:
    """What the lab's own Python needs is not passed on, and the process is the program itself."""
    code = "import os; print(sorted(n for n in os.environ if n[:2] != 'LC'), os.getsid(0) == os.getpid(), flush=True)"
    log = start(home, spec(home, code))
    wait_said(log, "['FACTORYLAB_FAMILY', 'MINE'] True")


@pytest.mark.usefixtures("lease")
def test_a_program_that_is_not_there_says_so(home: Path) -> None:
    """Its log names it, and its exit code is the one that shells use."""
    missing = replace(spec(home, ""), command=("no-such-program",))
    wait_said(start(home, missing), "no-such-program cannot be started: No such file or directory")
    wait_until(lambda: exit_code(home) == 127, what="its end", timeout_s=20)


def test_a_killed_supervisor_leaves_no_daemon(home: Path) -> None:
    """The guard ends what a program began when the supervisor was killed."""
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        wait_said(start(home, spec(home, DAEMON)), "here")
        wait_until(lambda: len(members(home)) == 2, what="program and daemon", timeout_s=20)
        state = control.living_state(home)
        assert state is not None
        psutil.Process(state.supervisor.pid).kill()
        wait_until(lambda: members(home) == [], what="nobody to be left", timeout_s=20)
