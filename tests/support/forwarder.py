"""An engine that can be taken away: a unix socket whose connections are passed on to the real one."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

QUESTIONS = (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD")


class Forwarder:
    """Passes connections to `path` on to the socket `target`, until it is closed: then all of them end.

    `delay_s` holds each question back. While it is frozen it accepts connections and passes nothing on.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.path, self._target = path, target
        self.delay_s = 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: list[socket.socket] = []
        self._listen()

    def _listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        self._flowing.clear()

    def come_back(self) -> None:
        """After a `freeze` or a `close`."""
        self._flowing.set()
        if not self.path.exists():
            self._listen()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                ours, _ = listener.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._target)
                self._open += [ours, theirs]
                for a, b in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    def close(self) -> None:
        """Nobody answers any more."""
        self.path.unlink(missing_ok=True)
        self._flowing.set()
        for line in [self._listener, *self._open]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._open.clear()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                if self.delay_s and piece.startswith(QUESTIONS):
                    time.sleep(self.delay_s)
                self._flowing.wait()
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
