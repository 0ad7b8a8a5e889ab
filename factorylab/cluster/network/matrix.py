"""The process that tries who reaches whom (see `reach`), started anew when a node has come."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from factorylab.cluster.base import Link
from factorylab.cluster.network.child_start import Beginning
from factorylab.cluster.network.netns import Namespace
from factorylab.core import environment
from factorylab.core.errors import LabError

ANSWER_S = 10


class Matrix:
    """Asks one question at a time; `log` takes what the process says of its troubles."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._asking = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._knows: frozenset[str] = frozenset()

    async def ask(
        self, sources: Sequence[str], networks: Mapping[str, Namespace], targets: Mapping[str, tuple[str, int]]
    ) -> list[Link]:
        """Try a connection from each of `sources`, names of `networks`, to each of the other `targets`.

        Raises:
            LabError: the process does not answer.
        """
        async with self._asking:
            if self._process is None or self._process.poll() is not None or self._knows != networks.keys():
                await self._start(networks, targets)
            assert self._streams
            reader, writer = self._streams
            writer.write(json.dumps(list(sources)).encode() + b"\n")
            try:
                answer = await asyncio.wait_for(reader.readline(), ANSWER_S)
                return msgspec.json.decode(answer, type=list[Link])
            except (OSError, TimeoutError, msgspec.DecodeError) as error:
                self.end()
                raise LabError(f"which node reaches which is unknown ({error!r}); see {self._log}") from error

    async def _start(self, networks: Mapping[str, Namespace], targets: Mapping[str, tuple[str, int]]) -> None:
        self.end()
        ours, theirs = socket.socketpair()
        plan = {"networks": {name: place.net for name, place in networks.items()}, "targets": targets}
        command = [sys.executable, "-m", "factorylab.cluster.network.reach", str(theirs.fileno()), json.dumps(plan)]
        with theirs, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment.python(), cwd=self._log.parent,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(theirs.fileno(), *(place.net for place in networks.values())),
                preexec_fn=Beginning(os.getpid(), next(iter(networks.values())), capable=True),  # noqa: PLW1509
            )  # fmt: skip
        self._streams = await asyncio.open_connection(sock=ours)
        self._knows = frozenset(networks)

    def end(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
