"""Lines of brokers' logs, as Kafka 4 wrote them in runs on a real cluster; only folders are shortened."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis import broker_log
from tests.support.histories import healthy
from tests.support.recorded_runs import thin

ELECTED = (
    "2026-11-27T08:24:22.608Z INFO  [kafka-1-metadata-loader-event-handler] state.change.logger - [Broker id=1] "
    "Leader sensor-data-040ac1-0 with topic id Some(gKBITxK_RmOUCGFKhURgYQ) starts at leader epoch 1 from offset 4092"
    " with partition epoch 1, high watermark 4039, ISR [1,2], adding replicas [] and removing replicas [] . Previous "
    "leader Some(3) and previous leader epoch was 0."
)
CUT_WHY = (
    "2026-11-27T08:24:28.076Z INFO  [ReplicaFetcherThread-0-1] kafka.server.ReplicaFetcherThread - [ReplicaFetcher "
    "replicaId=3, leaderId=1, fetcherId=0] Truncating partition sensor-data-040ac1-0 with "
    "TruncationState(offset=4092, completed=true) due to leader epoch and offset EpochEndOffset(errorCode=0, "
    "partition=0, leaderEpoch=0, endOffset=4092)"
)
CUT = (
    "2026-11-27T08:24:28.076Z INFO  [ReplicaFetcherThread-0-1] org.apache.kafka.storage.internals.log.UnifiedLog - "
    "[UnifiedLog partition=sensor-data-040ac1-0, dir=/data] Truncating to offset 4092"
)
UNCLEAN = (
    "2026-11-27T08:22:14.601Z INFO  [quorum-controller-1-event-handler] "
    "org.apache.kafka.controller.ReplicationControlManager - [QuorumController id=1] UNCLEAN partition change for "
    "sensor-data-1c5a50-0 with topic ID JOJmjEx3SDm9qDgNJhHeEQ: isr: [2] -> [3], leader: 2 -> 3, leaderRecoveryState:"
    " RECOVERED -> RECOVERING, leaderEpoch: 0 -> 1, partitionEpoch: 1 -> 2"
)
UNCLEAN_AFTER_A_LOST_DISK = (
    "2026-11-27T08:26:31.618Z INFO  [quorum-controller-2-event-handler] "
    "org.apache.kafka.controller.ReplicationControlManager - [QuorumController id=2] UNCLEAN partition change for "
    "sensor-data-7e73ce-0 with topic ID fD5PdMdgR3GbhOgbz6p9BA: isr: [] -> [3], leader: -1 -> 3, leaderRecoveryState:"
    " RECOVERED -> RECOVERING, leaderEpoch: 1 -> 2, lastKnownElr: [3] -> [], partitionEpoch: 3 -> 4"
)
CREATED = (
    "2026-11-27T08:26:23.047Z INFO  [kafka-3-metadata-loader-event-handler] kafka.log.LogManager - Created log for "
    "partition sensor-data-7e73ce-0 in /data/sensor-data-7e73ce-0 with properties {min.insync.replicas=1, "
    "unclean.leader.election.enable=false}"
)
DELETED = (
    "2026-11-27T08:22:34.561Z INFO  [kafka-scheduler-7] org.apache.kafka.storage.internals.log.UnifiedLog - "
    "[UnifiedLog partition=sensor-data-599578-0, dir=/data] Deleting segment LogSegment(baseOffset=1652, size=31615, "
    "lastModifiedTime=1795767745851, largestRecordTimestamp=1795767745848) due to log retention time 8000ms breach "
    "based on the largest record timestamp in the segment"
)
MOVED = (
    "2026-11-27T08:22:34.561Z INFO  [kafka-scheduler-7] org.apache.kafka.storage.internals.log.UnifiedLog - "
    "[UnifiedLog partition=sensor-data-599578-0, dir=/data] Incremented log start offset to 2189 due to segment "
    "deletion"
)
NOTHING_CUT = (
    "2026-11-27T08:19:05.690Z INFO  [ReplicaFetcherThread-0-3] org.apache.kafka.storage.internals.log.UnifiedLog - "
    "[UnifiedLog partition=sensor-data-bd2768-0, dir=/data] Truncating to 0 has no effect as the largest offset in "
    "the log is -1"
)
FIRST_FETCH = (
    "2026-11-27T08:19:05.690Z INFO  [ReplicaFetcherThread-0-3] kafka.server.ReplicaFetcherThread - [ReplicaFetcher "
    "replicaId=1, leaderId=3, fetcherId=0] Truncating partition sensor-data-bd2768-0 with TruncationState(offset=0, "
    "completed=true) due to local high watermark 0"
)
FOLLOWER = (
    "2026-11-27T08:24:22.628Z INFO  [kafka-2-metadata-loader-event-handler] state.change.logger - [Broker id=2] "
    "Follower sensor-data-040ac1-0 starts at leader epoch 1 from offset 4092 with partition epoch 1 and high "
    "watermark 4039. Current leader is 1. Previous leader Some(3) and previous leader epoch was 0."
)


@pytest.mark.parametrize(
    ("line", "kind", "epoch", "offset", "text"),
    [
        (ELECTED, "leader", 1, 4092, "Leader sensor-data-040ac1-0 … starts at leader epoch 1 from offset 4092 … high "
         "watermark 4039, ISR [1,2]"),
        (CUT_WHY, "truncated", -1, 4092, "Truncating partition sensor-data-040ac1-0 with TruncationState(offset=4092, "
         "…) due to … EpochEndOffset(…, leaderEpoch=0, endOffset=4092)"),
        (CUT, "truncated", -1, 4092, "[UnifiedLog partition=sensor-data-040ac1-0, …] Truncating to offset 4092"),
        (UNCLEAN, "unclean", 1, -1, "UNCLEAN partition change for sensor-data-1c5a50-0 …: isr: [2] -> [3], leader: "
         "2 -> 3, leaderRecoveryState: RECOVERED -> RECOVERING, leaderEpoch: 0 -> 1"),
        (UNCLEAN_AFTER_A_LOST_DISK, "unclean", 2, -1, "UNCLEAN partition change for sensor-data-7e73ce-0 …: isr: [] "
         "-> [3], leader: -1 -> 3, leaderRecoveryState: RECOVERED -> RECOVERING, leaderEpoch: 1 -> 2"),
        (CREATED, "created", -1, -1, "Created log for partition sensor-data-7e73ce-0"),
        (DELETED, "retention", -1, 1652, "[UnifiedLog partition=sensor-data-599578-0, …] Deleting segment LogSegment("
         "baseOffset=1652, …) due to log retention time 8000ms breach"),
        (MOVED, "expired", -1, 2189, "[UnifiedLog partition=sensor-data-599578-0, …] Incremented log start offset to "
         "2189 due to segment deletion"),
    ],
)  # fmt: skip
def test_real_lines_are_understood(tmp_path: Path, line: str, kind: str, epoch: int, offset: int, text: str) -> None:
    """Each event that explains a loss is known by the line that Kafka writes, with its epoch, offset and time."""
    told = broker_log.understood(line)
    assert told is not None
    history = healthy(tmp_path)
    history.made_of["topics"] = {"sensor-data": told[1]["place"].removesuffix("-0")}
    history.logs = {"broker-2": ["a line of something else", line]}
    (event,) = broker_log.events(history.run())
    assert (event.kind, event.epoch, event.offset, event.text) == (kind, epoch, offset, text)
    assert (event.node, event.partition, event.time) == ("broker-2", 0, line[11:23])


@pytest.mark.parametrize("line", [NOTHING_CUT, FIRST_FETCH, FOLLOWER])
def test_lines_about_nothing_that_was_lost_are_passed_over(line: str) -> None:
    """A truncation that cut nothing, that of a replica's first fetch, and a follower's start are no events."""
    assert broker_log.understood(line) is None


def test_a_recording_keeps_the_lines_and_no_folder(tmp_path: Path) -> None:
    """Of the logs of a run that is to travel, the lines that explain losses are kept, without the folders in them."""
    history = healthy(tmp_path)
    history.logs = {"broker-3": [NOTHING_CUT, CREATED, DELETED]}
    folder = history.run().folder
    thin(folder)
    kept = (folder.logs / "broker-3.log").read_text()
    assert len(kept.splitlines()) == 2 and "/data" not in kept
    assert all(broker_log.understood(line) for line in kept.splitlines())
