"""What the brokers' own logs say about the partitions of `sensor-data`: who began to lead where, what was cut off.

Only lines of a few known shapes are read (Kafka 4: state.change.logger, ReplicaFetcherThread, UnifiedLog, LogManager,
ReplicationControlManager).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from factorylab.analysis.log_lines import log_lines, stamped
from factorylab.history.saved_run import Run

Kind = Literal["leader", "truncated", "unclean", "created", "expired", "retention"]
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


def understood(line: str) -> tuple[Kind, re.Match[str]] | None:
    """The shape of a line and its match; None for a line that says nothing of partitions."""
    told = stamped(line)
    return _shape(told[1]) if told else None


def _shape(text: str) -> tuple[Kind, re.Match[str]] | None:
    for kind, shape in _SHAPES:
        if found := shape.search(text):
            return kind, found
    return None


def events(run: Run) -> list[LogEvent]:
    """All that the brokers logged about the run's `sensor-data`, by time; empty where their logs were not kept."""
    topic = run.manifest.topics.get("sensor-data", "sensor-data")
    return sorted(_of(run, topic), key=lambda e: (e.t_ns, e.node, e.partition, e.offset))


def _of(run: Run, topic: str) -> Iterator[LogEvent]:
    for line in log_lines(run, lambda line: topic in line):
        if (shape := _shape(line.text)) is None:
            continue
        kind, found = shape
        name, _, partition = found["place"].rpartition("-")
        if name != topic:
            continue
        numbers = found.groupdict()
        yield LogEvent(
            t_ns=line.t_ns,
            time=line.time[11:],
            node=line.node,
            kind=kind,
            partition=int(partition),
            epoch=int(numbers.get("epoch") or -1),
            offset=int(numbers.get("offset") or -1),
            text=_LEFT_OUT.sub("…", found[0])[:LONGEST],
        )
