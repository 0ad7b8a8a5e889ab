"""What an observation keeps on disk: bounded, since it may go on for days.

    told.jsonl          outages, events, pauses, harmed canaries, each once, when it was known
    canaries.jsonl      each canary offered, acknowledged, refused, read
    report.md, .json    the report, anew each minute and at the end

A file of lines that is full is kept as `…jsonl.1` and so on, and the oldest goes.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

FILE_BYTES, FILES = 16_000_000, 5
LINES_MAX = 20_000  # of a file that wait to be written; when the disk takes none, the oldest go
FileName = Literal["told", "canaries"]


class Evidence:
    """The folder of an observation. `put` gathers, `flush` writes, and raises OSError where the disk takes nothing."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(parents=True)
        self.folder = folder
        self._waiting: dict[FileName, deque[bytes]] = {
            "told": deque(maxlen=LINES_MAX), "canaries": deque(maxlen=LINES_MAX)
        }  # fmt: skip

    def put(self, file: FileName, row: msgspec.Struct) -> None:
        """A line of `told` or `canaries`."""
        line = {"what": type(row).__name__.lower(), **msgspec.structs.asdict(row)}
        self._waiting[file].append(msgspec.json.encode(line) + b"\n")

    def flush(self) -> None:
        """Write what was gathered. Raises OSError; what was not written waits for the next time."""
        for name, lines in self._waiting.items():
            if lines:
                _append(self.folder / f"{name}.jsonl", b"".join(lines))
                lines.clear()

    def write(self, name: str, text: bytes) -> None:
        """Replace a file as a whole, without waiting for the disk: that would be a pause. Raises OSError."""
        scratch = self.folder / f"{name}.new"
        scratch.write_bytes(text)
        scratch.replace(self.folder / name)


def _append(path: Path, text: bytes) -> None:
    """All of the text or, with an OSError, nothing of it; then a full file makes room for a new one."""
    with path.open("ab", buffering=0) as stream:
        size = stream.tell()
        if stream.write(text) < len(text):
            os.ftruncate(stream.fileno(), size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if size + len(text) > FILE_BYTES:
        for number in range(FILES - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
