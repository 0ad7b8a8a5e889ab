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


def _last_told(log: LogFile) -> str:
    """What the broker of a log wrote last; nothing where it did not, or has no log yet."""
    if not log.path.is_file():
        return ""
    with log.path.open(encoding="utf-8", errors="replace") as lines:
        told = [fits[1] for line in lines if "Kafka version" in line and (fits := TOLD.search(line))]
    return told[-1] if told else ""
