"""What an observation keeps on disk: bounded, since it may go on for days.

    observation.json    what was observed, with which settings
    told.jsonl          outages, events, pauses, harmed canaries, each once, when it was known
    canaries.jsonl      each canary offered, acknowledged, refused, read
    report.md, .json    the report, anew each minute and at the end

A file of lines that is full is kept as `…jsonl.1` and so on, and the oldest goes.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from factorylab.core.files import write_durably

FILE_BYTES, FILES = 16_000_000, 5
LINES_MAX = 20_000  # that wait to be written; when the disk takes none, the oldest go


class _Lines(RotatingFileHandler):
    """The standard library's rotation, with its errors raised."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (its name in logging)
        error = sys.exception()
        raise OSError(f"{self.baseFilename}: {error}") from error


class Evidence:
    """The folder of an observation. `put` gathers, `flush` writes, and raises OSError where the disk takes nothing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._files = {name: self._lines(name) for name in ("told", "canaries")}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self.dropped = 0

    def put(self, file: str, row: msgspec.Struct) -> None:
        """A line of `told` or `canaries`."""
        line = {"what": type(row).__name__.lower(), **msgspec.structs.asdict(row)}
        self._waiting.append((file, msgspec.json.encode(line)))

    def flush(self) -> None:
        """Write what was gathered. Raises OSError; what was not written waits for the next time."""
        while len(self._waiting) > LINES_MAX:
            self._waiting.popleft()
            self.dropped += 1
        while self._waiting:
            file, line = self._waiting[0]
            self._files[file].emit(logging.LogRecord(file, logging.INFO, "", 0, line.decode(), None, None))
            self._waiting.popleft()

    def write(self, name: str, text: bytes) -> None:
        """Replace a file as a whole. Raises OSError."""
        write_durably(self.folder / name, text)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _lines(self, name: str) -> _Lines:
        path = self.folder / f"{name}.jsonl"
        return _Lines(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8")
