"""The version of Kafka comes from what the brokers wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.cluster.base import LogFile
from factorylab.cluster.kafka_version import course, kafka_version

LINE = "2026-11-30T05:22:22.634Z INFO  [main] org.apache.kafka.common.utils.AppInfoParser - Kafka version: {}\n"


def log(folder: Path, node: str, *versions: str) -> LogFile:
    """A log that this driver's time begins at the end of."""
    path = folder / f"{node}.log"
    path.write_text("started\n" + "".join(map(LINE.format, versions)) + "Kafka version: none\n")
    return LogFile(node, path, path.stat().st_size)


def test_the_version_is_what_each_broker_said_last(tmp_path: Path) -> None:
    """The last start counts; brokers that differ are both named; other nodes have no say."""
    logs = [log(tmp_path, "broker-1", "4.2.0", "4.3.1"), log(tmp_path, "broker-2", "4.3.1")]
    assert kafka_version([*logs, log(tmp_path, "database", "17")]) == "4.3.1"
    assert kafka_version([*logs, log(tmp_path, "broker-3", "4.2.0")]) == "4.2.0 | 4.3.1"


def test_a_version_that_nobody_wrote_is_unknown(tmp_path: Path) -> None:
    """Without a line of theirs nothing is guessed."""
    assert kafka_version([log(tmp_path, "broker-1")]) == "unknown" == kafka_version([])


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ((), "4.3.1"),
        (("4.3.1",), "4.3.1"),
        (("4.4.0",), "4.3.1 → 4.4.0"),
        (("4.4.0", "4.3.1"), "4.3.1 → 4.4.0 → 4.3.1"),
    ],
)
def test_a_change_in_a_run_is_told(tmp_path: Path, since: tuple[str, ...], words: str) -> None:
    """What brokers wrote since the driver came counts, also where the end is as the beginning; what an earlier lab of
    the same logs ran does not."""
    mine = log(tmp_path, "broker-1", "4.2.0", "4.3.1")
    with mine.path.open("a", encoding="utf-8") as more:
        more.writelines(map(LINE.format, since))
    assert course("4.3.1", [mine, LogFile("supervisor", mine.path, 0)]) == words
