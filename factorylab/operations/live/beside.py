"""The live page beside a command: a process of its own, so that it takes no time from what the command measures."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread

import msgspec
import psutil

from factorylab.cluster.control import Recorded, find_process
from factorylab.core import environment
from factorylab.core.files import read_json, write_secret

HOST = "127.0.0.1"
FILE = "live.json"
END_S = 5.0
WAITING_MAX = 20  # moments: ten seconds of them


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
        process = _begin(listening, ["input", str(home)], subprocess.PIPE, None)
        say(f"live page: {address(listening)}")
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()  # where this process is killed, that happens by itself
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def fed(setup: bytes, say: Callable[[str], None]) -> Iterator[Callable[[bytes], bool]]:
    """Serve a page that is fed: what the context gives takes its moments, as JSON in one line, and waits for nobody.
    It is False where one was left out, because the page's process does not keep up."""
    with socket.create_server((HOST, 0)) as listening:
        process = _begin(listening, ["feed"], subprocess.PIPE, None)
        say(f"live page: {address(listening)}")
    waiting: Queue[bytes | None] = Queue(WAITING_MAX)
    waiting.put(setup)
    feeder = Thread(target=_feed, args=(process, waiting), daemon=True)
    feeder.start()

    def take(moment: bytes) -> bool:
        with suppress(Full):
            waiting.put_nowait(moment)
            return True
        return False

    try:
        yield take
    finally:
        if feeder.is_alive():
            with suppress(Full):
                waiting.put(None, timeout=END_S)
        feeder.join(END_S)
        _end(process)


def _feed(process: subprocess.Popen[bytes], waiting: Queue[bytes | None]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as feed:  # without its page an observation goes on
        while (line := waiting.get()) is not None:
            feed.write(line + b"\n")
            feed.flush()


def stay(home: Path) -> str:
    """Serve the page of the lab that is up in `home` until that ends, unless it is served already; where."""
    if known := still_served(home):
        return known
    with (
        socket.create_server((HOST, 0)) as listening,
        (home / "logs" / "live.log").open("ab") as log,
    ):
        process = _begin(listening, ["lab", str(home)], subprocess.DEVNULL, log.fileno())
        created = psutil.Process(process.pid).create_time()
        served = Served(address(listening), Recorded("live", process.pid, created))
        write_secret(home / FILE, msgspec.json.encode(served).decode())
    process.returncode = 0  # it outlives this process, which is not to wait for it
    return served.url


def still_served(home: Path) -> str | None:
    """Where the page of a lab that stays is served; None where it is not."""
    served = read_json(home / FILE, Served)
    return served.url if served and find_process(served.process) else None


def _begin(listening: socket.socket, words: list[str], stdin: int, errors: int | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "factorylab.operations.live", str(listening.fileno()), *words],
        env=environment.python() | environment.docker(), cwd="/", pass_fds=[listening.fileno()],
        stdin=stdin, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,  # Ctrl-C is for the command
    )  # fmt: skip
