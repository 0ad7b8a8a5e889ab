"""The version of Kafka that a lab's brokers run, by their own word."""

from __future__ import annotations

import re
from collections.abc import Iterable

from factorylab.cluster.base import LogFile

TOLD = re.compile(r"AppInfoParser\b.*Kafka version: (\S+)")
UNKNOWN = "unknown"


def kafka_version(logs: Iterable[LogFile]) -> str:
    """What the brokers wrote when they started last, before this driver's time as well; several versions are joined by
    " | "."""
    found = {told for log in logs if log.node.startswith("broker-") and (told := _last_told(log))}
    return " | ".join(sorted(found)) or UNKNOWN


def course(before: str, logs: Iterable[LogFile]) -> str:
    """The version at a run's end by what the brokers wrote, behind the one `before` it and others that a broker ran in
    between: "4.3.1 → 4.4.0". Where all are the same, just that one."""
    brokers = [log for log in logs if log.node.startswith("broker-")]
    now = kafka_version(brokers)
    between = sorted({told for log in brokers for told in _told(log, log.start)} - {before, now})
    return before if now == before and not between else " → ".join([before, *between, now])


def _last_told(log: LogFile) -> str:
    """What the broker of a log wrote last; nothing where it did not, or has no log yet."""
    return next(reversed(_told(log)), "")


def _told(log: LogFile, start: int = 0) -> list[str]:
    """The versions that stand in a log from the byte `start` on, in their order."""
    if not log.path.is_file():
        return []
    with log.path.open("rb") as stream:
        stream.seek(start)
        lines = (line.decode(errors="replace") for line in stream if b"Kafka version" in line)
        return [fits[1] for line in lines if (fits := TOLD.search(line))]
