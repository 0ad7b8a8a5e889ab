"""What the brokers' own logs say about who is in charge: active controllers, fenced brokers, leaders, ISRs, members.

Only lines of a few known shapes are read (Kafka 4: QuorumController, ReplicationControlManager, BrokerHeartbeatManager,
state.change.logger, Partition, GroupMetadataManager).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from factorylab.analysis.log_lines import LogLine, log_lines, stamped
from factorylab.history.saved_run import Run

Kind = Literal["active", "fenced", "registered", "unfenced", "leaving", "leader", "isr", "shrinking", "removed"]
_OF = r"(?P<place>\S+-\d+)"
_ISR = r"ISR \[(?P<isr>[\d, ]*)\]"
_SHAPES: list[tuple[Kind, re.Pattern[str]]] = [
    ("active", re.compile(r"\[QuorumController id=(?P<broker>\d+)\] Becoming the active controller at epoch \d+")),
    ("fenced", re.compile(r"Fencing broker (?P<broker>\d+) at epoch \d+ because its session has timed out")),
    ("registered", re.compile(r"Registering a new incarnation of broker (?P<broker>\d+)\. Previous incarnation ID")),
    ("unfenced", re.compile(r"The request from broker (?P<broker>\d+) to unfence has been granted")),
    ("leaving", re.compile(
        r"nfenced broker (?P<broker>\d+) has requested and been granted an? (?:controlled|immediate) shutdown"
    )),
    ("leader", re.compile(rf"Leader {_OF} with topic id \S+ starts at leader epoch (?P<epoch>\d+) from .*?{_ISR}")),
    ("isr", re.compile(
        rf"Skipped the become-leader state change for {_OF} with .* with leader epoch (?P<epoch>\d+)\. .*?{_ISR}"
    )),
    ("isr", re.compile(rf"\[Partition {_OF} broker=\d+\] ISR updated to (?P<isr>[\d,]+) ")),
    ("shrinking", re.compile(rf"\[Partition {_OF} broker=\d+\] Shrinking ISR from [\d,]+ to (?P<isr>[\d,]+)\.")),
    ("removed", re.compile(r"Member (?P<member>\S+) in group (?P<group>\S+) has failed, removing it from the group")),
    ("removed", re.compile(
        r"\[GroupId (?P<group>\S+)\] Member (?P<member>\S+) fenced from the group because the member session expired"
    )),
]  # fmt: skip
_MARKS = (
    "ctive controller",
    "encing broker",
    "new incarnation of",
    "unfence",
    "shutdown",
    "ISR ",
    "has failed",
    "session expired",
)


class ControlEvent(msgspec.Struct, frozen=True):
    """A line: `broker` is the one that it is about; numbers are −1 and words empty where it names none."""

    t_ns: int
    node: str
    kind: Kind
    broker: int = -1
    partition: int = -1
    epoch: int = -1
    isr: tuple[int, ...] = ()
    member: str = ""


def understood(line: str) -> bool:
    """Is the line of one of the shapes?"""
    told = stamped(line)
    return told is not None and _shape(told[1]) is not None


def _shape(text: str) -> tuple[Kind, dict[str, str]] | None:
    for kind, shape in _SHAPES:
        if found := shape.search(text):
            return kind, found.groupdict()
    return None


def control_events(run: Run) -> list[ControlEvent]:
    """All such lines about the brokers, the partitions of `sensor-data` and the group of the run, by time; empty where
    the logs were not kept."""
    return list(run.once(_control_events))


def _control_events(run: Run) -> list[ControlEvent]:
    if run.workers.empty:  # nobody wrote down both clocks
        return []
    topic, group = run.manifest.topics.get("sensor-data", "sensor-data"), run.manifest.group
    lines = log_lines(run, may_tell)
    found = [event for line in lines if (event := event_of(line, topic, group)) is not None]
    return sorted(found, key=lambda e: (e.t_ns, e.node, e.partition))


def may_tell(line: str) -> bool:
    """Is it worth a closer look? Nearly all lines are not."""
    return any(mark in line for mark in _MARKS)


def event_of(line: LogLine, topic: str, group: str) -> ControlEvent | None:
    """What the line says, where it is of one of the shapes and about this topic and group, or about none."""
    if (shape := _shape(line.text)) is None:
        return None
    kind, words = shape
    name, _, partition = words.get("place", "").rpartition("-")
    if name not in ("", topic) or words.get("group", group) != group:
        return None
    return ControlEvent(
        t_ns=line.t_ns,
        node=line.node,
        kind=kind,
        broker=int(words.get("broker", -1)),
        partition=int(partition or -1),
        epoch=int(words.get("epoch", -1)),
        isr=tuple(sorted(int(b) for b in words.get("isr", "").replace(" ", "").split(",") if b)),
        member=words.get("member", ""),
    )
