"""Helpers of the cluster's tests: a supervisor with tiny Python children, and what is left of a lab."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from factorylab.cluster import boot, control
from factorylab.cluster.base import Role
from factorylab.cluster.control import Child
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core import environment
from factorylab.core.waiting import wait_until
from tests.support.places import ROOT

SLEEP = "import time\nprint('here', flush=True)\nwhile True: time.sleep(0.05)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(600)"
)
DRIVER = """
import sys, time
from pathlib import Path
from tests.support.labs import SLEEP, bare_lab, tiny
from factorylab.cluster import control

home, last = Path(sys.argv[1]), sys.argv[2]
bare_lab(home)
lease = control.Line(home, lease=True)
lease.receive()
steps = {
    "leased": lambda: None,
    "started": lambda: control.ask(home, control.Start([tiny("broker-1", home), tiny("fleet-0", home)])),
    "kept": lambda: control.ask(home, control.Keep()) if "keep" in sys.argv else None,
    "injected": lambda: [control.ask(home, control.Inject(1, n, a)) for n, a in
                         (("broker-1", "pause"), ("fleet-0", "kill"))],
    "healed": lambda: control.ask(home, control.Heal()),
}
for name, do in steps.items():
    do()
    if name == last:
        break
print("reached", flush=True)
time.sleep(600)
"""


class LabOfTests:
    """The lab that tests share: up from the first that asks for it until it has to give way; the next one that asks
    gets a new one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lab: LocalCluster | None = None

    def up(self) -> LocalCluster:
        if self._lab is None:
            self._lab = LocalCluster.up(self._settings)
        return self._lab

    @contextmanager
    def lent(self) -> Iterator[Path]:
        """The folder of the lab while it is up and free for the driver of another process."""
        lab = self.up()
        with lab.hold():
            self.close()
            try:
                yield lab.home
            finally:
                self.up()

    def close(self) -> None:
        if self._lab is not None:
            self._lab.close()
            self._lab = None


def shell() -> dict[str, str]:
    """The variables of whoever runs the tests, with this checkout importable: for programs that a person starts."""
    return os.environ | {"PYTHONPATH": environment.PACKAGE_HOME}


def tiny(name: str, home: Path, code: str = SLEEP, role: Role | None = None, stop_s: float = 5) -> Child:
    """A child that is only a Python program."""
    kind: Role = role or name.partition("-")[0]  # type: ignore[assignment]
    log = str(home / "logs" / f"{name}.log")
    return Child(name, kind, [sys.executable, "-c", code], shell(), log, str(home), stop_s=stop_s)


def bare_lab(home: Path, bootstrap: str = "", database_url: str = "") -> control.Recorded:
    """A running supervisor without children; gives who it is."""
    (home / "logs").mkdir(parents=True, exist_ok=True)
    boot.launch(home, boot.Known(bootstrap=bootstrap, database_url=database_url))
    state = control.living_state(home)
    assert state is not None
    return state.supervisor


def silent_lab(home: Path) -> control.Recorded:
    """The same, with addresses of brokers and a database where nobody listens: from its beginning on, since who watches
    it may look at any moment."""
    nowhere = f"127.0.0.1:{closed_port()}"
    return bare_lab(home, nowhere, f"postgresql://nobody:nothing@{nowhere}/nothing")


def pid_of(home: Path, name: str) -> int:
    """The process of a child of the lab."""
    state = control.living_state(home)
    assert state is not None
    return next(child.pid for child in state.children if child.name == name)


def driver(home: Path, step: str, *words: str) -> subprocess.Popen[str]:
    """A driver in a process of its own that went as far as `step` and waits there."""
    command = [sys.executable, "-c", DRIVER, str(home), step, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=shell())
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "reached\n":  # left running, it would end in the garbage collector, during some other test
        kill(process)
    assert said == "reached\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def left_of(home: Path) -> list[str]:
    """Living processes that belong to the lab in `home`: they name it or work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(home) in word for word in words):
                found.append(f"{process.pid} {' '.join(words)[:160]}")
        except psutil.Error:
            continue
    return found


def wait_nothing_left(home: Path) -> None:
    wait_until(lambda: not left_of(home), what=f"nothing to be left of {home}", timeout_s=30,
               last_seen=lambda: "\n".join(left_of(home)))  # fmt: skip


def wait_status(home: Path, name: str, status: str) -> control.NodeState:
    """Wait until the operating system gives a node this status."""

    def look() -> control.NodeState | None:
        node = next(n for n in control.nodes(home) if n.name == name)
        try:
            found = control.process_status(psutil.Process(node.pid) if node.pid else None)
        except psutil.NoSuchProcess:  # it ended after the supervisor was asked
            found = "dead"
        return node if found == status else None

    return wait_until(look, what=f"{name} to be {status}", timeout_s=20)


def wait_said(path: Path, word: str) -> None:
    """Wait until a log file holds `word`."""
    wait_until(lambda: path.exists() and word in path.read_text(), what=f"{word!r} in {path}", timeout_s=20)


def listening(ports: Sequence[int]) -> list[int]:
    """Those of `ports` that somebody on this machine listens on."""
    return sorted({c.laddr.port for c in psutil.net_connections("tcp") if c.status == "LISTEN"} & set(ports))


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
