"""How long the group waits for a member that says nothing (s)."""

from __future__ import annotations

CLASSIC_SESSION_S = 14.0
"""Of members with a classic protocol, which set it themselves. Longer than the 9 s after which a silent broker is
fenced, and an election: until then offset commits wait for the dead follower, heartbeats wait behind the commits, and a
shorter session would cost every member its partitions."""

BROKER_SESSION_S = 6.0
"""Of members with the protocol `consumer` (KIP-848), which the brokers set; 45 s is Kafka's default and its minimum."""

BROKER_HEARTBEAT_S = 2.0
