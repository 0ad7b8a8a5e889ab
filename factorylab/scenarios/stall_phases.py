"""The phases of a stall: what begins each, what ends it, and the settings that govern it.

A *moment* is something that evidence can show, such as the controller's line that fences a broker; a *phase* lasts from
one moment to the next of its chain. Predictions and measurements use these names.

Which chain a partition goes through depends on what it had to do with the victim of the fault:

    LEADER_LOST     the victim led it
    FOLLOWER_LOST   the victim was in its ISR, and another broker led: with acks=all, and for all readers, the high
                    watermark waits
    BYSTANDER       the victim had no copy of it: what its processor waits for is its alerts' topic, or its group
    MEMBER_LOST     the victim was the processor that owned it
    STORE_LOST      the victim was the database
    REPLICA_BACK    the victim is back, and about to be in sync again

`controller_election` is there only where the victim was the active controller, and then comes *before* `fencing`: the
new controller grants the dead broker a full new session. A broker that ends in order (SIGTERM) hands over before it is
silent, and is not fenced by a session. One that is cut off from its peers, and not from the controllers, is not fenced
either: the leader takes it out of the ISR itself. The phases of HEALING come in where a fault is healed. A stall that
goes through two chains (a broker's death, then a group whose session ran out) has the phases of both, in the order of
time.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Moment = Literal[
    "injected", "silent", "controller_elected", "fenced", "leader_elected", "isr_shrunk", "first_ack", "first_read",
    "begun", "first_commit", "drained", "healed", "unfenced", "isr_full", "removed", "assigned", "store_back",
]  # fmt: skip
Owner = Literal["broker", "producer", "consumer", "lab"]


class Setting(NamedTuple):
    """A setting, and whose it is; the lab's own are those of the scenario."""

    owner: Owner
    name: str


class Phase(NamedTuple):
    """From `begins` to `ends`. `governed_by`: the settings that decide how long it lasts, the most decisive first;
    none where it is work that takes as long as it takes."""

    name: str
    begins: Moment
    ends: Moment
    governed_by: tuple[Setting, ...] = ()


BROKER_SESSION = Setting("broker", "broker.session.timeout.ms")
HEARTBEAT = Setting("broker", "broker.heartbeat.interval.ms")
QUORUM_FETCH = Setting("broker", "controller.quorum.fetch.timeout.ms")
QUORUM_ELECTION = Setting("broker", "controller.quorum.election.timeout.ms")
REPLICA_LAG = Setting("broker", "replica.lag.time.max.ms")
PRODUCER_SOCKET = Setting("producer", "socket.timeout.ms")
PRODUCER_RECONNECT = Setting("producer", "reconnect.backoff.max.ms")
PRODUCER_REFRESH = Setting("producer", "topic.metadata.refresh.interval.ms")
CONSUMER_SOCKET = Setting("consumer", "socket.timeout.ms")
CONSUMER_RECONNECT = Setting("consumer", "reconnect.backoff.max.ms")
CONSUMER_REFRESH = Setting("consumer", "topic.metadata.refresh.interval.ms")
MEMBER_SESSION = Setting("consumer", "session.timeout.ms")
MEMBER_HEARTBEAT = Setting("consumer", "heartbeat.interval.ms")
GROUP_SESSION = Setting("broker", "group.consumer.session.timeout.ms")
GROUP_HEARTBEAT = Setting("broker", "group.consumer.heartbeat.interval.ms")
HOLD = Setting("lab", "hold_s")

SILENCE = Phase("silence", "injected", "silent")
"""Until the fault is in effect: the process dead, stopped or unreachable. A SIGTERM takes its time here."""
CONTROLLER_ELECTION = Phase("controller_election", "silent", "controller_elected", (QUORUM_FETCH, QUORUM_ELECTION))
FENCING = Phase("fencing", "silent", "fenced", (BROKER_SESSION, HEARTBEAT))
LEADER_ELECTION = Phase("leader_election", "fenced", "leader_elected")
ISR_SHRINK = Phase("isr_shrink", "fenced", "isr_shrunk", (REPLICA_LAG,))
CLIENT_DISCOVERY = Phase(
    "client_discovery", "leader_elected", "first_ack", (PRODUCER_RECONNECT, PRODUCER_SOCKET, PRODUCER_REFRESH)
)
"""Until the producer's first acknowledgement; begins with `isr_shrunk` where the victim followed."""
CONSUMER_DISCOVERY = Phase(
    "consumer_discovery", "first_ack", "first_read", (CONSUMER_RECONNECT, CONSUMER_SOCKET, CONSUMER_REFRESH)
)
"""Until the consumer's first poll with records of the partition. Where it finds the leader before the producer does,
it reads what was acknowledged before the fault: this phase then begins with `leader_elected`."""
DELIVERY = Phase("delivery", "first_read", "begun")
"""Until the transaction of that poll begins: its alerts and dead letters must be acknowledged first. They go through
topics of their own, which the fault may have hit as well."""
FIRST_COMMIT = Phase("first_commit", "begun", "first_commit")
DRAIN = Phase("drain", "first_commit", "drained")
"""Until the partition's lag is back in its band of the steady state."""

MEMBER_REMOVAL = Phase("member_removal", "silent", "removed", (MEMBER_SESSION, MEMBER_HEARTBEAT))
"""`GROUP_SESSION` and `GROUP_HEARTBEAT` govern it where the protocol is `consumer` (KIP-848)."""
ASSIGNMENT = Phase("assignment", "removed", "assigned", (MEMBER_HEARTBEAT,))
FIRST_POLL = Phase("first_poll", "assigned", "first_read")
GROUP_FIRST_COMMIT = Phase("group_first_commit", "first_read", "first_commit")

STORE_AWAY = Phase("store_away", "silent", "store_back", (HOLD,))
RECONNECT = Phase("reconnect", "store_back", "first_commit")

HEAL = Phase("heal", "silent", "healed", (HOLD,))
ISR_FULL = Phase("isr_full", "healed", "isr_full")
VICTIM_RETURN = Phase("victim_return", "healed", "first_ack")
"""Where the victim came back before it was given up: until the partition acknowledges, or stores, again."""
ISR_EXPANSION = Phase("isr_expansion", "unfenced", "first_ack")
"""A stall of its own, after the victim came back: leaders ask the controller to take it into the ISR, and until that
is answered their high watermark waits for it already (KIP-497). It lasts as long as a leader's connection to the
controller is of no use: after a cut, one to the former controller."""
UNEXPLAINED = "unexplained"
"""No phase: nothing that was seen ends here."""

_SERVED_AGAIN = (CLIENT_DISCOVERY, CONSUMER_DISCOVERY, DELIVERY, FIRST_COMMIT)
LEADER_LOST = (SILENCE, CONTROLLER_ELECTION, FENCING, LEADER_ELECTION, *_SERVED_AGAIN)
FOLLOWER_LOST = (SILENCE, CONTROLLER_ELECTION, FENCING, ISR_SHRINK, *_SERVED_AGAIN)
BYSTANDER = (SILENCE, CONTROLLER_ELECTION, FENCING, CONSUMER_DISCOVERY, DELIVERY, FIRST_COMMIT)
MEMBER_LOST = (SILENCE, MEMBER_REMOVAL, ASSIGNMENT, FIRST_POLL, GROUP_FIRST_COMMIT)
STORE_LOST = (SILENCE, STORE_AWAY, RECONNECT)
HEALING = (HEAL, ISR_FULL, VICTIM_RETURN)
REPLICA_BACK = (ISR_EXPANSION, DELIVERY, FIRST_COMMIT)
CHAINS = (LEADER_LOST, FOLLOWER_LOST, BYSTANDER, MEMBER_LOST, STORE_LOST, HEALING, REPLICA_BACK, (DRAIN,))
PHASES = {phase.name: phase for chain in CHAINS for phase in chain}
