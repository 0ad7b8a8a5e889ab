"""What may be asked of a folder's lab without driving it: what runs, heal it, end it."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster import control, leftovers
from factorylab.cluster.base import INFRASTRUCTURE
from factorylab.core.errors import LabBusy

LOCK_FILE = "lock"
MEASURED = ("fleet", "processor")
CONTAINER_PORT = 9400  # as in compose.yaml
CONNECT_S = 0.2


@dataclass(frozen=True)
class Seen:
    """A node as the operating system sees it now; `rss_mb` is 0 for what does not run.

    `status` is running, paused, ended (a worker that has done its work, or was told to stop: exit code 0) or dead.
    """

    name: str
    role: str
    status: str
    pid: int | None
    rss_mb: int
    exit_code: int | None
    log: str
    metrics: str | None = None  # where it tells them, if it does


def driver_of(home: Path) -> str | None:
    """The pid of the process that uses this lab, as text; None where nobody does."""
    path = home / LOCK_FILE
    if not path.exists():
        return None
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.read().strip()
    return None


def busy(home: Path, driver: str) -> LabBusy:
    return LabBusy(
        f"the lab in {home} is used by process {driver}: wait for it, end it, or set FACTORYLAB_HOME elsewhere"
    )


def check_free(home: Path) -> None:
    """Raises LabBusy while a living process drives the lab of `home`."""
    if driver := driver_of(home):
        raise busy(home, driver)


def look(home: Path) -> list[Seen]:
    """Every node of the lab that is up in `home`; empty when none is."""
    if control.living_state(home) is None:
        return []
    return [_seen(node) for node in control.nodes(home)]


def _seen(node: control.NodeState) -> Seen:
    try:
        process = psutil.Process(node.pid) if node.pid else None
        status = control.process_status(process)
        rss = process.memory_info().rss if process else 0
    except psutil.NoSuchProcess:
        status, rss = "dead", 0
    if status == "dead" and node.exit_code == 0 and node.role not in INFRASTRUCTURE:
        return Seen(node.name, node.role, "ended", None, 0, 0, node.log)
    metrics = metrics_url(node) if status == "running" else None
    return Seen(node.name, node.role, status, node.pid, rss // 2**20, node.exit_code, node.log, metrics)


def metrics_url(node: control.NodeState) -> str | None:
    """Where a fleet or a processor serves its metrics: the only port that such a process listens on. None where this
    host does not reach it: in an isolated lab its loopback is another."""
    if node.role not in MEASURED:
        return None
    if node.address:  # of a container, whose processes may be another account's
        with suppress(OSError), socket.create_connection((node.address, CONTAINER_PORT), CONNECT_S):
            return f"http://{node.address}:{CONTAINER_PORT}/metrics"
        return None
    with suppress(psutil.Error, OSError):
        if network_of(node.pid) != network_of(os.getpid()):
            return None
        for one in psutil.Process(node.pid).net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN:
                return f"http://{one.laddr.ip}:{one.laddr.port}/metrics"
    return None


def network_of(pid: int | None) -> str:
    """The network that a process lives in. Raises OSError where it has ended."""
    return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 (what it names is no path)


def heal(home: Path) -> list[str]:
    """Undo every fault of the lab in `home`; what was done. Raises EnvironmentUnfit when no lab is up."""
    return msgspec.json.decode(control.ask(home, control.Heal()), type=list[str])


def down(home: Path, *, force: bool = False) -> list[str]:
    """End the lab in `home` and whatever a dead one left; the names of what was ended.

    Raises:
        LabBusy: a living process drives it, and `force` was not given.
        EnvironmentUnfit: containers may be left, and the engine does not answer.
    """
    state = control.living_state(home)
    driver = driver_of(home)
    if driver and not force:
        raise LabBusy(f"process {driver} uses the lab in {home}: end it first, or give --force to end the lab under it")
    if state is None:
        return leftovers.clear(home)
    names = [node.name for node in control.nodes(home) if node.pid]
    control.ask(home, control.Shutdown())
    control.wait_gone(state.supervisor)
    leftovers.clear(home)  # nothing, unless the supervisor could not end all
    return names
