"""Logs of workers (JSON), brokers and PostgreSQL (plain text) as one stream in the order of time.

A line that carries no time of its own (a stack trace) belongs to the line before it.
"""

from __future__ import annotations

import difflib
import heapq
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

LEVELS = ("debug", "info", "warning", "error", "critical")
PLAIN = re.compile(
    r"^(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d[.,]\d{3})(?:Z| UTC)?(?: \[\d+\])?"
    r"\s+(?P<level>[A-Z]+):?\s+(?P<text>.*)$"
)
SAME_LEVEL = {"warn": "warning", "fatal": "critical", "panic": "critical", "log": "info", "hint": "info"}
FOLLOW_S = 0.3


@dataclass(frozen=True, order=True)
class LogLine:
    """`t` is UTC as text, so that lines sort by it."""

    t: str
    worker: str
    level: str
    text: str

    def show(self) -> str:
        return f"{self.t[:23]:<23} {self.level:<8} {self.worker:<12} {self.text}"


def parse(line: str, worker: str, before: LogLine | None) -> LogLine:
    """One line of any of our logs; `before` is the line above it."""
    if line.startswith("{"):
        try:
            fields = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.DecodeError:
            fields = {}
        if "timestamp" in fields:
            return _from_json(fields, worker)
    if found := PLAIN.match(line):
        level = found["level"].lower()
        stamp = f"{found['date']}T{found['time'].replace(',', '.')}"
        return LogLine(stamp, worker, SAME_LEVEL.get(level, level if level in LEVELS else "info"), found["text"])
    return LogLine(before.t if before else "", worker, before.level if before else "info", line)


def _from_json(fields: dict[str, object], worker: str) -> LogLine:
    stamp = str(fields.pop("timestamp")).rstrip("Z")
    level, name = str(fields.pop("level", "info")), str(fields.pop("worker", worker))
    event = str(fields.pop("event", ""))
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    return LogLine(stamp, name, level, f"{event} {rest}".strip())


class Reader:
    """One log file, read from where the last reading ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._last: LogLine | None = None

    def new_lines(self) -> Iterator[LogLine]:
        """Whole lines that were not read yet."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self._offset)
            for raw in stream:
                if not raw.endswith(b"\n"):
                    return
                self._offset += len(raw)
                self._last = parse(raw.decode(errors="replace").rstrip("\n"), self.path.stem, self._last)
                yield self._last


Choose = Callable[[LogLine], bool]


def chooser(level: str, worker: str | None = None, pattern: str | None = None) -> Choose:
    """Which lines to show: at least `level`, of workers whose name begins with `worker`, matching `pattern`."""
    least = LEVELS.index(level)
    wanted = re.compile(pattern) if pattern else None

    def choose(line: LogLine) -> bool:
        return (
            LEVELS.index(line.level) >= least
            and (worker is None or line.worker.startswith(worker))
            and (wanted is None or wanted.search(line.text) is not None)
        )

    return choose


def whole_word(correlation_id: str) -> str:
    """A pattern that finds a correlation id and none that it is only a part of: S:1 is neither in S:17 nor in TS:1."""
    return rf"(?<![\w.:/-]){re.escape(correlation_id)}(?![\w:/-])"


def merged(paths: Sequence[Path], choose: Choose) -> Iterator[LogLine]:
    """The chosen lines of all files by time."""
    return filter(choose, heapq.merge(*(Reader(path).new_lines() for path in paths)))


def why_nothing(paths: Sequence[Path], level: str, worker: str | None) -> str:
    """Why no line was chosen from these files: there is no such node, or what there is says nothing of the kind."""
    lines = list(merged(paths, chooser("debug")))
    nodes = sorted({line.worker for line in lines} | {path.stem for path in paths})
    if worker is not None and not any(node.startswith(worker) for node in nodes):
        near = difflib.get_close_matches(worker, nodes, 1)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        return f"no node's name begins with {worker!r}: {hint}: {', '.join(nodes) or 'none'}"
    seen = {line.level for line in lines if worker is None or line.worker.startswith(worker)}
    if not seen:
        return "the logs are empty"
    if not seen & set(LEVELS[LEVELS.index(level) :]):
        return f"no line of level {level} or above: the highest is {max(seen, key=LEVELS.index)}"
    return f"no line of level {level} or above matches; an ordinary reading leaves none at level info: see 'trace'"


def followed(find: Callable[[], Sequence[Path]], choose: Choose) -> Iterator[LogLine]:
    """The same, and then what comes, as long as `find` finds files: it is asked again and again, since a node that is
    started later has a log of its own."""
    readers: dict[Path, Reader] = {}
    while paths := find():
        fresh = [readers.setdefault(path, Reader(path)) for path in paths]
        yield from filter(choose, sorted(line for reader in fresh for line in reader.new_lines()))
        time.sleep(FOLLOW_S)
