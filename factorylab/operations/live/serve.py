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
from threading import Thread

import uvicorn

from factorylab.core import secret
from factorylab.core.errors import PortTaken
from factorylab.operations.live.beside import HOST
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


def serve(home: Path, listening: socket.socket, *, read_only: bool, ended: Callable[[], bool] = lambda: False) -> None:
    """Serve the page of the lab in `home` until Ctrl-C, or until `ended` says so."""
    page = LivePage(home, read_only=read_only)
    config = uvicorn.Config(page.app(), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    asyncio.run(_serve(QuietServer(config), page, listening, ended))


class QuietServer(uvicorn.Server):
    """Leaves the signals to us: uvicorn's own way raises them once more when it has ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server, page: LivePage, listening: socket.socket, ended: Callable[[], bool]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    serving = asyncio.create_task(server.serve([listening]))
    while not (told.is_set() or serving.done() or ended() or page.broken):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), UNTIL_S)
    server.should_exit = True
    await page.end_streams()
    await serving
    if page.broken:
        raise page.broken


def main() -> None:
    """python -m factorylab.operations.live HOME FD input|lab: on a socket that was inherited, until standard input
    ends, or until the lab that is up has ended."""
    from factorylab.cluster import control

    secret.guard_tracebacks()
    home, number, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    left = [False]

    def wait_for_end() -> None:
        while os.read(0, 1024):
            pass
        left[0] = True

    if how == "lab":
        serve(home, socket.socket(fileno=number), read_only=False, ended=lambda: control.living_state(home) is None)
        return
    Thread(target=wait_for_end, daemon=True).start()
    serve(home, socket.socket(fileno=number), read_only=False, ended=lambda: left[0])
