"""Who reaches whom: TCP connections tried by a shell inside each container.

One shell a container stays and is asked again and again, since beginning one costs as much as fifty connections. Bash
itself opens the connections, so that any image will do that has it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from factorylab.cluster.docker import engine
from factorylab.core.errors import LabError

if TYPE_CHECKING:
    from docker import DockerClient

TRY_S = 1
ANSWER_S = TRY_S + 1.5
# A line of "name=address/port" words comes in; the names of those that were reached go out, and a line END.
PROGRAM = f"""
while read -r line; do
  for word in $line; do
    (timeout {TRY_S} bash -c "exec 3<>/dev/tcp/${{word#*=}}" 2>/dev/null && echo "${{word%%=*}}") &
  done
  wait
  echo END
done
"""


class Shell:
    """A shell in one container. It ends with the container, and is begun again when it is asked after that."""

    def __init__(self, client: DockerClient, container_id: str) -> None:
        self._client, self._id = client, container_id
        self._line: socket.socket | None = None
        self._asking = Lock()

    def reached(self, targets: Mapping[str, str]) -> set[str] | None:
        """The names of those `targets` ("address/port" by name) that it can connect to; None where it does not answer:
        it is paused, or dead."""
        question = " ".join(f"{name}={place}" for name, place in targets.items()).encode() + b"\n"
        with self._asking:
            return (self._line and self._answer(question)) or self._answer(question)

    def _answer(self, question: bytes) -> set[str] | None:
        try:
            self._line = self._line or self._begin()
            self._line.sendall(question)
            return _read(self._line)
        except (LabError, OSError):
            self.end()
            return None

    def _begin(self) -> socket.socket:
        with engine.asking("a shell in a container"):
            made = self._client.api.exec_create(self._id, ["bash", "-c", PROGRAM], stdin=True, stderr=False)
            stream = self._client.api.exec_start(made["Id"], socket=True)
        line: socket.socket = stream._sock
        line.settimeout(ANSWER_S)
        return line

    def end(self) -> None:
        if self._line:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
            self._line = None


def _read(line: socket.socket) -> set[str]:
    """The words of an answer. The engine sends output in frames: eight bytes, the last four of which are the length,
    then the text."""
    text = b""
    while not text.endswith(b"END\n"):
        header = _exactly(line, 8)
        text += _exactly(line, int.from_bytes(header[4:]))
    return set(text.decode().split()) - {"END"}


def _exactly(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            raise OSError("the shell ended")
        found += piece
    return found
