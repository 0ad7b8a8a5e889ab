"""The live page beside a command: a process of its own, so that it takes no time from what the command measures."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster.control import Recorded, find_process
from factorylab.core import environment
from factorylab.core.files import read_json, write_secret

HOST = "127.0.0.1"
FILE = "live.json"
END_S = 5.0


class Served(msgspec.Struct, frozen=True):
    """Where the page of a lab that stays is served, and by whom; it lies in the lab's folder."""

    url: str
    process: Recorded


def address(listening: socket.socket) -> str:
    return f"http://{HOST}:{listening.getsockname()[1]}/"


@contextmanager
def beside(home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Serve the page of the lab in `home`, also while there is none, as long as this context lasts."""
    with socket.create_server((HOST, 0)) as listening:
        process = _begin(home, listening, "input", subprocess.PIPE, None)
        say(f"live page: {address(listening)}")
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()  # where this process is killed, that happens by itself
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stay(home: Path) -> str:
    """Serve the page of the lab that is up in `home` until that ends, unless it is served already; where."""
    if known := still_served(home):
        return known
    with (
        socket.create_server((HOST, 0)) as listening,
        (home / "logs" / "live.log").open("ab") as log,
    ):
        process = _begin(home, listening, "lab", subprocess.DEVNULL, log.fileno())
        created = psutil.Process(process.pid).create_time()
        served = Served(address(listening), Recorded("live", process.pid, created))
        write_secret(home / FILE, msgspec.json.encode(served).decode())
    process.returncode = 0  # it outlives this process, which is not to wait for it
    return served.url


def still_served(home: Path) -> str | None:
    """Where the page of a lab that stays is served; None where it is not."""
    served = read_json(home / FILE, Served)
    return served.url if served and find_process(served.process) else None


def _begin(home: Path, listening: socket.socket, until: str, stdin: int, errors: int | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "factorylab.operations.live", str(home), str(listening.fileno()), until],
        env=environment.python() | environment.docker(), cwd="/", pass_fds=[listening.fileno()],
        stdin=stdin, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,  # Ctrl-C is for the command
    )  # fmt: skip
