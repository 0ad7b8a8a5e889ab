"""How long the group waits for a member that says nothing (s)."""

from __future__ import annotations

CLASSIC_SESSION_S = 20.0
"""Of members with a classic protocol, which set it themselves, and give their partitions up when no heartbeat was
answered for so long. Longer than what a broker's death costs, whatever it was: a new controller (2 s), the session that
this one grants the dead broker (9 s), the group's new coordinator, the heartbeat before (a sixth of this), and a busy
host. docs/decisions.md has the measurements. A dead processor is noticed that late."""

CUT_OFF_SESSION_S = 14.0
"""Of members with a classic protocol where one of them is cut off: the group is to put it out while the cut, of 20 s by
default, lasts."""

BROKER_SESSION_S = 6.0
"""Of members with the protocol `consumer` (KIP-848), which the brokers set; 45 s is Kafka's default and its minimum. It
may be this short: a member goes on with what it has while there is no coordinator, and a new one grants it anew."""

BROKER_HEARTBEAT_S = 2.0
