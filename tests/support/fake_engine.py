"""A program on a unix socket that is mistaken for a Docker engine: what it lacks shows how the lab takes it."""

from __future__ import annotations

import json
import platform
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType


def version(number: str, api: str = "1.41") -> bytes:
    """The answer of an engine of this version to each question."""
    told = {"Version": number, "ApiVersion": api, "MinAPIVersion": "1.12", "KernelVersion": platform.release()}
    return answer(200, told)


def answer(status: int, told: object) -> bytes:
    """A whole HTTP answer."""
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class FakeEngine:
    """Accepts connections at `path`, and says `reply` to whatever it is asked; an empty one: it keeps silent."""

    def __init__(self, path: Path, reply: bytes) -> None:
        self._reply, self._open = reply, []  # type: tuple[bytes, list[socket.socket]]
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self._open.append(line)
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with suppress(OSError):
            while line.recv(65_536):
                if self._reply:
                    line.sendall(self._reply)

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in [self._listener, *self._open]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._thread.join(5)
