"""Serving the live page until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import uvicorn

from factorylab.cluster import control
from factorylab.core import secret
from factorylab.core.errors import PortTaken
from factorylab.operations.live.beside import HOST
from factorylab.operations.live.fed import FedPage
from factorylab.operations.live.page_server import PageServer
from factorylab.operations.live.server import LivePage

UNTIL_S = 1.0


def bound(port: int) -> socket.socket:
    """A socket of loopback that listens; 0 is any free port.

    Raises:
        PortTaken: somebody else has it.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise PortTaken(
            f"port {port}: {os.strerror(error.errno or 0)}; choose another with --port, or leave it out"
        ) from None


def serve(page: PageServer, listening: socket.socket, *, ended: Callable[[], bool] = lambda: False) -> None:
    """Serve a page until Ctrl-C, or until `ended` says so."""
    config = uvicorn.Config(page.app(), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    asyncio.run(_serve(QuietServer(config), page, listening, ended))


class QuietServer(uvicorn.Server):
    """Leaves the signals to us: uvicorn's own way raises them once more when it has ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server, page: PageServer, listening: socket.socket, ended: Callable[[], bool]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    serving = asyncio.create_task(server.serve([listening]))
    while not (told.is_set() or serving.done() or page.over or ended() or page.broken):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), UNTIL_S)
    server.should_exit = True
    await page.stream.end()
    await serving
    if page.broken:
        raise page.broken


def main() -> None:
    """python -m factorylab.operations.live FD feed | FD input|lab HOME: on a socket that was inherited, until standard
    input ends, which feeds the page or says nothing; or until the lab that is up in HOME has ended."""
    secret.guard_tracebacks()
    listening, how = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    if how == "feed":
        serve(FedPage(), listening)
        return
    home = Path(sys.argv[3])
    page = LivePage(home, read_only=False)
    if how == "lab":
        serve(page, listening, ended=lambda: control.living_state(home) is None)
        return
    left = Event()
    Thread(target=_wait_for_end, args=(left,), daemon=True).start()
    serve(page, listening, ended=left.is_set)


def _wait_for_end(left: Event) -> None:
    while os.read(0, 1024):
        pass
    left.set()
