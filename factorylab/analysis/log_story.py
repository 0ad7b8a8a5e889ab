"""Which lines of a run's own logs show a rebalance or a change of a leader, each with what it shows.

Brokers' lines are of the shapes of `control_log`, and of those of Kafka's group coordinator (Kafka 4:
GroupMetadataManager, classic and consumer protocol); processors note their own callbacks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from factorylab.analysis import control_log
from factorylab.analysis.log_lines import LogLine, log_lines, wall_ahead_ns
from factorylab.analysis.service import fault_windows
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

_CONTROL: Mapping[str, str] = {
    "active": "controller change: broker {broker} is the active controller",
    "fenced": "session over: broker {broker} is fenced",
    "registered": "broker {broker} is back and registers anew",
    "unfenced": "broker {broker} takes part again",
    "leaving": "broker {broker} leaves in order",
    "leader": "leader change: {node} leads partition {partition} from epoch {epoch} on",
    "isr": "in sync: partition {partition} has the replicas {isr}",
    "shrinking": "in sync: partition {partition} shrinks to the replicas {isr}",
    "removed": "rebalance: the group removes {member}, whose session is over",
}
_GROUP: Mapping[str, re.Pattern[str]] = {
    "rebalance begins: {why}": re.compile(
        r"Preparing to rebalance group (?P<group>\S+) in state \S+ with old generation \d+ "
        r"\(reason: (?P<why>.+?)(?: with group instance id null| for \(\S+\) members)?\.*\)?[.;]"
    ),
    "rebalance: generation {number} has {members} members": re.compile(
        r"Stabilized group (?P<group>\S+) generation (?P<number>\d+) with (?P<members>\d+) members"
    ),
    "rebalance ends: the partitions of generation {number} are assigned": re.compile(
        r"Assignment received from leader \S+ for group (?P<group>\S+) for generation (?P<number>\d+)"
    ),
    "rebalance: {member} joins the group": re.compile(
        r"\[GroupId (?P<group>[^]\s]+)\] Member (?P<member>\S+) joins the consumer group"
    ),
    "rebalance: {member} leaves the group": re.compile(
        r"\[Group(?:Id)? (?P<group>[^]\s]+)\] Member (?P<member>\S+) (?:has left|left) "
    ),
    "rebalance begins: group epoch {number}": re.compile(
        r"\[GroupId (?P<group>[^]\s]+)\].* Bumped group epoch to (?P<number>\d+)"
    ),
    "rebalance: the assignment of group epoch {number} is computed": re.compile(
        r"\[GroupId (?P<group>[^]\s]+)\].* Computed a new target assignment for epoch (?P<number>\d+)"
    ),
}
_CALLBACKS = {"assigned": "is given", "revoked": "gives back", "lost": "has lost"}
_TAIL = re.compile(r"-[0-9a-f]{8}-[0-9a-f-]{27}\b")  # the coordinator's own part of a member's id


class ToldLine(NamedTuple):
    """`t_s` counts from the first fault (from the steady state, where there was none); `file` and `number` say where
    under raw/ the line stands, number 0: a row of the history; `shows` says what it shows."""

    t_s: float
    file: str
    number: int
    shows: str
    text: str


def log_story(run: Run) -> list[ToldLine]:
    """Such lines about the run's own topic and group, and the steps of its faults, by time. Without kept logs only the
    steps."""
    if run.workers.empty:  # nobody wrote down both clocks
        return []
    zero_ns = zero_of(run)
    found = [*_of_brokers(run), *_of_processors(run), *_of_faults(run)]
    return [ToldLine((t_ns - zero_ns) / NS, *rest) for t_ns, rest in sorted(found)]


def zero_of(run: Run) -> int:
    """When the first fault was begun (monotonic ns), or the steady state where none was."""
    windows = fault_windows(run)
    return int(windows["intended_ns"].min()) if len(windows) else run.t0_ns


_Found = tuple[int, tuple[str, int, str, str]]  # the time, and what follows `t_s` in a line


def _of_brokers(run: Run) -> Iterator[_Found]:
    topic, group = run.manifest.topics.get("sensor-data", "sensor-data"), run.manifest.group
    for line in log_lines(run, lambda line: control_log.may_tell(line) or group in line):
        if shows := _control(line, topic, group) or _group(line.text, group):
            yield line.t_ns, (f"logs/{line.node}.log", line.number, shows, line.text)


def _control(line: LogLine, topic: str, group: str) -> str:
    event = control_log.event_of(line, topic, group)
    if event is None:
        return ""
    told = msgspec.structs.asdict(event) | {"isr": ", ".join(map(str, event.isr)) or "none"}
    return _CONTROL[event.kind].format_map(told | {"member": _TAIL.sub("", event.member)})


def _group(text: str, group: str) -> str:
    for shows, shape in _GROUP.items():
        if (found := shape.search(text)) and found["group"] == group:
            return shows.format_map({name: _TAIL.sub("", word.strip()) for name, word in found.groupdict().items()})
    return ""


def _of_processors(run: Run) -> Iterator[_Found]:
    """The callbacks of the members, by their own logs: the wall clock's time, put onto the history's."""
    ahead_ns = wall_ahead_ns(run)
    for path in sorted(run.folder.logs.glob("processor-*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if not any(f'"event": "{name}"' in line for name in _CALLBACKS):
                    continue
                try:
                    told = json.loads(line)
                    wall = datetime.fromisoformat(told["timestamp"])
                except (ValueError, KeyError):  # cut off where the process was killed
                    continue
                shows = f"owner change: {path.stem} {_CALLBACKS[told['event']]} {_listed(told['partitions'])}"
                t_ns = round(wall.timestamp() * 1e6) * 1000 - ahead_ns
                yield t_ns, (f"logs/{path.name}", number, shows, line.strip())


def _listed(partitions: Sequence[int]) -> str:
    noun = "partition" if len(partitions) == 1 else "partitions"
    return f"{noun} {', '.join(map(str, partitions))}" if partitions else "no partition"


def _of_faults(run: Run) -> Iterator[_Found]:
    for row in each(run.faults):
        shows = f"fault: {row.kind} of {row.node} ({row.target}): {row.step}"
        yield int(row.t_ns), ("history/faults.parquet", 0, shows, str(row.evidence))
