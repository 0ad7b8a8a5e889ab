"""Words with a fixed set of values that scenarios, the cluster, the factory and the history share."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["ok", "fail", "unknown", "shed", "not_offered"]
Step = Literal["intended", "injected", "evidence", "no_evidence", "healing", "healed", "skipped"]
Phase = Literal["start", "warm_up", "steady", "fault_window", "after", "recover", "drain", "final_read", "end"]
SensorKind = Literal["temperature", "vibration", "energy"]
GroupProtocol = Literal["range", "cooperative-sticky", "consumer"]
Acknowledgement = Literal["explicit", "implicit"]  # of records of a share group
AckKind = Literal["accept", "release", "reject"]  # what a worker says of a record of a share group
GroupEvent = Literal["assigned", "revoked", "lost"]  # what the group tells a member of partitions
Compression = Literal["none", "lz4", "zstd", "snappy", "gzip"]
AwayFrom = Literal["brokers", "everybody"]  # what a network partition cuts a node off from
Direction = Literal["both", "in", "out"]  # which packets it drops, seen from the node
Sink = Literal["topic", "table", "replay"]
ProcessStatus = Literal["running", "paused", "dead"]
DatabaseAnswer = Literal["ok", "refused", "full", "none"]
WorkStep = Literal[
    "taken",
    "polled",
    "prepared",
    "in_transaction",
    "committed",
    "delivered",
    "before_store",
    "in_store",
    "after_store",
    "after_commit",
    "revoking",
]  # of a processor's work on a batch; what each means stands in factory/store/crash_points.py
COORDINATES, CONTROLS = "coordinates the group", "is the active controller"
"""How the step "intended" of a fault says that its broker has these roles."""
FROM_BEFORE = "from before: "
"""After it the same step names what of that is hearsay: the cluster could not tell it just then."""
