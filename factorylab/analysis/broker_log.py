"""What the brokers' own logs say about the partitions of `sensor-data`: who began to lead where, what was cut off.

Only lines of a few known shapes are read (Kafka 4: state.change.logger, ReplicaFetcherThread, UnifiedLog, LogManager,
ReplicationControlManager). The brokers write UTC; the run's workers wrote both clocks, so a line has a monotonic time
too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from factorylab.history.saved_run import Run

Kind = Literal["leader", "truncated", "unclean", "created", "expired", "retention"]
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3})Z?\s+[A-Z]+\s+.*? - (.*)$")
_OF_LOG = r"\[UnifiedLog partition=(?P<place>\S+-\d+), dir=[^]]*\] "
_SHAPES: list[tuple[Kind, re.Pattern[str]]] = [
    ("leader", re.compile(
        r"Leader (?P<place>\S+-\d+) with topic id \S+ starts at leader epoch (?P<epoch>\d+) from offset (?P<offset>\d+)"
        r" with partition epoch \d+, high watermark \d+, ISR \[[\d, ]*\]"
    )),
    ("truncated", re.compile(
        r"Truncating partition (?P<place>\S+-\d+) with TruncationState\(offset=(?P<offset>\d+), completed=true\)"
        r" due to leader epoch and offset EpochEndOffset\([^)]*\)"
    )),
    ("truncated", re.compile(_OF_LOG + r"Truncating to offset (?P<offset>\d+)")),
    ("unclean", re.compile(
        r"UNCLEAN partition change for (?P<place>\S+-\d+) with topic ID .*leaderEpoch: \d+ -> (?P<epoch>\d+)"
    )),
    ("created", re.compile(r"Created log for partition (?P<place>\S+-\d+)(?= in )")),
    ("expired", re.compile(_OF_LOG + r"Incremented log start offset to (?P<offset>\d+) due to \S+ \S+")),
    ("retention", re.compile(
        _OF_LOG + r"Deleting segment LogSegment\(baseOffset=(?P<offset>\d+),[^)]*\) due to log retention \w+ \w+ breach"
    )),
]  # fmt: skip
_LEFT_OUT = re.compile(
    r"(?<=, )dir=[^]]*|with topic (?:id|ID) [^\s:]+|with partition epoch \d+,|size=\d+, last[^)]*(?=\))"
    r"|completed=true|leader epoch and offset(?= Epoch)|errorCode=0, partition=\d+"
)
LONGEST = 240


class LogEvent(msgspec.Struct, frozen=True):
    """A line of a broker's log: epoch and offset are −1 where it names none; `t_ns` is on the history's clock, `time`
    is the line's own (UTC), and in `text` "…" stands for folders and ids."""

    t_ns: int
    time: str
    node: str
    kind: Kind
    partition: int
    epoch: int
    offset: int
    text: str


def understood(line: str) -> tuple[Kind, re.Match[str], str] | None:
    """The shape of a line, its match and its time of day; None for a line that says nothing of partitions."""
    if not (stamped := _STAMP.match(line)):
        return None
    for kind, shape in _SHAPES:
        if found := shape.search(stamped[2]):
            return kind, found, stamped[1]
    return None


def events(run: Run) -> list[LogEvent]:
    """All that the brokers logged about the run's `sensor-data`, by time; empty where their logs were not kept."""
    topic = run.manifest.topics.get("sensor-data", "sensor-data")
    apart_ns = _wall_ahead_ns(run)
    found = [e for path in sorted(run.folder.logs.glob("broker-*.log")) for e in _of(path, topic, apart_ns)]
    return sorted(found, key=lambda e: (e.t_ns, e.node, e.partition, e.offset))


def _of(path: Path, topic: str, apart_ns: int) -> Iterator[LogEvent]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            told = understood(line.rstrip("\n")) if topic in line else None
            if told is None:
                continue
            kind, found, time = told
            name, _, partition = found["place"].rpartition("-")
            if name != topic:
                continue
            numbers = found.groupdict()
            wall = datetime.fromisoformat(time.replace(",", ".").replace(" ", "T") + "+00:00")
            wall_ns = round(wall.timestamp() * 1000) * 1_000_000
            yield LogEvent(
                t_ns=wall_ns - apart_ns,
                time=time[11:],
                node=path.stem,
                kind=kind,
                partition=int(partition),
                epoch=int(numbers.get("epoch") or -1),
                offset=int(numbers.get("offset") or -1),
                text=_LEFT_OUT.sub("…", found[0])[:LONGEST],
            )


def _wall_ahead_ns(run: Run) -> int:
    """By how much the wall clock is ahead of the monotonic one: the middle of what the workers wrote down."""
    workers = run.workers
    return int(np.median((workers["wall_ns"] - workers["t_ns"]).to_numpy())) if len(workers) else 0
