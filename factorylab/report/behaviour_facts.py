"""What people expect of Kafka, where an experienced guess is easily wrong; `behaviour` holds it against recorded runs.

A fact holds no measured number. Its guess is what is usually said; whether it is right, the runs tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Fact:
    """`expected` in words, and as a range of `quantity` in its unit. `campaign` and `where` name the runs, as in
    `campaign-failover@faults.0.kind=kill`; `set_` says which setting governs it."""

    situation: str
    expected: str
    guess: tuple[float, float]
    quantity: str
    campaign: str
    where: Mapping[str, str]
    set_: str

    @property
    def runs(self) -> str:
        """The runs as a word of the command line."""
        return "@".join([f"campaign-{self.campaign}", *(f"{name}={word}" for name, word in self.where.items())])


LEADER_ONLY, ALSO_CONTROLLER = "leader:0-controller-coordinator", "leader:0+controller-coordinator"
ALSO_COORDINATOR, FOLLOWER_ONLY = "leader:0-controller+coordinator", "follower:0-leader-controller-coordinator"
SESSION_GUESS = (7, 9.5)  # broker.session.timeout.ms, 9 s, from the last heartbeat on, which is up to 2 s old
SESSION = "`broker.session.timeout.ms`"
READ_LAST = (
    "watch the age of what was read last: the lag, which is measured from the high watermark, stands still meanwhile, "
    "and the ISR that brokers name is still whole"
)
MEMBER_SESSION = "the consumer's `session.timeout.ms=6000` here, 45 s by default"
BROKERS_MEMBER_SESSION = "`group.consumer.session.timeout.ms` of the broker: the client has no say"


def _failover(kind: str, target: str) -> dict[str, str]:
    return {"faults.0.kind": kind, "faults.0.target": target}


def _durability(kind: str, target: str, acks: str) -> dict[str, str]:
    return {"faults.0.kind": kind, "faults.0.target": target, "clients.acks": acks}


def _member(kind: str, protocol: str, static: bool = False) -> dict[str, str]:
    return {"faults.0.kind": kind, "clients.protocol": protocol, "clients.static_members": str(static)}


def _rolling(name: str, situation: str) -> Iterator[Fact]:
    """What brokers do to clients that come back one after the other, each once every replica is in sync."""
    set_ = "wait until every replica is in sync before the next broker ends, as `in_sync_first` does"
    for what, expected, guess, quantity in (
        ("no acknowledgement of any partition (acks=all)", "a moment: each broker hands over first", (0, 1), "ack_gap"),
        ("partitions that moved to another member of the group", "some: a group rebalances", (1, inf), "moved"),
        ("acknowledged readings that are gone", "none", (0, 0), "lost"),
    ):
        yield Fact(f"{situation}: {what}", expected, guess, quantity, "rolling", {"name": name}, set_)


FACTS: tuple[Fact, ...] = (
    Fact(
        "a broker that only leads is killed: no acknowledgement of partition 0 (acks=all)",
        "9 s, its session",
        SESSION_GUESS, "ack_gap.0", "failover", _failover("kill", LEADER_ONLY),
        f"{SESSION}; the producer adds the time until it asks who leads now",
    ),
    Fact(
        "a leader that is the active controller is killed: no acknowledgement of partition 0 (acks=all)",
        "9 s, its session",
        SESSION_GUESS, "ack_gap.0", "failover", _failover("kill", ALSO_CONTROLLER),
        f"{SESSION}; controllers apart (`process.roles=controller`): a new one grants a dead broker a full new session",
    ),
    Fact(
        "a leader that coordinates the group is killed: no reading of partition 0 stored",
        "9 s, its session",
        SESSION_GUESS, "stores_stalled.0", "failover", _failover("kill", ALSO_COORDINATOR),
        SESSION,
    ),
    Fact(
        "a broker that only follows is killed: no acknowledgement of partition 0 (acks=all)",
        "nobody notices: the leader lives",
        (0, 1), "ack_gap.0", "failover", _failover("kill", FOLLOWER_ONLY),
        f"{SESSION}: acknowledgements wait until the dead follower leaves the ISR",
    ),
    Fact(
        "a broker that only leads is ended by SIGTERM: no acknowledgement of partition 0",
        "seconds, for the election",
        (2, 9.5), "ack_gap.0", "failover", _failover("terminate", LEADER_ONLY),
        "SIGTERM and patience instead of SIGKILL (`controlled.shutdown.enable`, on by default)",
    ),
    Fact(
        "a broker that only leads is frozen (SIGSTOP): no acknowledgement of partition 0",
        "9 s, as for a dead one",
        SESSION_GUESS, "ack_gap.0", "failover", _failover("pause", LEADER_ONLY),
        f"{SESSION}, then `topic.metadata.refresh.interval.ms` of the producer (10 s in this lab, 300 s by default): "
        "its connection does not break; at the latest its `socket.timeout.ms` (10 s here, 60 s by default)",
    ),
    Fact(
        "a broker that only leads is killed and started again at once: no acknowledgement of partition 0",
        "the few seconds of its start",
        (1, 7), "ack_gap.0", "failover", _failover("restart", LEADER_ONLY),
        f"{SESSION}: it is registered again when its former session is over",
    ),
    Fact(
        "a broker that only leads is cut off from the other brokers: no acknowledgement of partition 0 (acks=all)",
        "9 s, its session",
        SESSION_GUESS, "ack_gap.0", "failover", _failover("partition", LEADER_ONLY),
        "`topic.metadata.refresh.interval.ms` of the producer",
    ),
    Fact(
        "a consumer is killed (range): a partition without an owner",
        "6 s, its session",
        (5, 7), "unowned", "protocols", _member("kill", "range"),
        MEMBER_SESSION,
    ),
    Fact(
        "a consumer is killed (range): a partition without an owner by the group's description",
        "the same 6 s",
        (5, 7), "unassigned", "protocols", _member("kill", "range"),
        "watch members' callbacks or the lag: the description names the dead member until its session is over",
    ),
    Fact(
        "a consumer is killed (KIP-848): a partition without an owner",
        "6 s, its session",
        (5, 7), "unowned", "protocols", _member("kill", "consumer"),
        BROKERS_MEMBER_SESSION,
    ),
    Fact(
        "a consumer is killed (KIP-848) and comes back after 12 s: from the kill to the end of the last stall",
        "6 s: its return stops nobody",
        (5, 8), "recovery", "protocols", _member("kill", "consumer"),
        "`group.consumer.heartbeat.interval.ms`: the partition that it gets is given up and taken at heartbeats",
    ),
    Fact(
        "a static consumer (range, session 20 s) is ended by SIGTERM and started again after 12 s: a partition without "
        "an owner",
        "a moment: it leaves in order",
        (0, 2), "unowned", "protocols", _member("terminate", "range", static=True),
        "nobody takes its partitions until it is back, or `session.timeout.ms` is over: no `group.instance.id` where "
        "members go for longer than a restart takes",
    ),
    Fact(
        "a broker that only leads is killed, acks=1: acknowledged readings that are gone",
        "some: what it confirmed alone dies with it",
        (1, inf), "lost", "durability", _durability("kill", LEADER_ONLY, "1"),
        "`acks=all`: nothing was lost because the followers kept up, and nothing promises that they do",
    ),
    Fact(
        "the followers are frozen, then the leader is killed, acks=1: acknowledged readings that are gone",
        "none: the other replicas are whole",
        (0, 0), "lost", "durability", _durability("pause", "followers:0", "1"),
        "`acks=all` with `min.insync.replicas` of 2: min ISR alone, without it, promises nothing",
    ),
    Fact(
        "the followers are frozen, then the leader is killed, acks=all: acknowledged readings that are gone",
        "none",
        (0, 0), "lost", "durability", _durability("pause", "followers:0", "all"),
        "`acks=all` with `min.insync.replicas` of 2",
    ),
    Fact(
        "a broker that only follows is killed, acks=1: no reading of partition 0 stored",
        "nobody notices: the leader lives and confirms",
        (0, 1), "stores_stalled.0", "durability", _durability("kill", FOLLOWER_ONLY, "1"),
        f"{SESSION}: consumers wait until the dead follower leaves the ISR; the producer notices nothing",
    ),
    Fact(
        "a broker that only follows is killed, acks=1: readings of one partition that are confirmed and cannot be read",
        "none: what is confirmed can be read",
        (0, 100), "unreadable", "durability", _durability("kill", FOLLOWER_ONLY, "1"),
        READ_LAST,
    ),
    Fact(
        "all followers are killed, acks=1: no acknowledgement of partition 0",
        "as long as they are gone: fewer than min ISR live",
        (14, inf), "ack_gap.0", "durability", _durability("kill", "followers:0", "1"),
        "`acks=all`: `min.insync.replicas` refuses nobody else",
    ),
    Fact(
        "all followers are killed, acks=1: readings of one partition that are confirmed and cannot be read",
        "none: what is confirmed can be read",
        (0, 100), "unreadable", "durability", _durability("kill", "followers:0", "1"),
        READ_LAST,
    ),
    Fact(
        "all followers are killed, acks=all: readings that were refused for sure",
        "all: NOT_ENOUGH_REPLICAS at once",
        (1, inf), "failed", "durability", _durability("kill", "followers:0", "all"),
        "the producer's `delivery.timeout.ms`: with two of three voters gone nobody shrinks the ISR, so nobody refuses",
    ),
    Fact(
        "a leader that confirms alone (acks=1) is cut off: acknowledged readings that are gone",
        "none: it steps down",
        (0, 0), "lost", "durability", {"faults.0.kind": "partition", "clients.acks": "1", "topology.profile": "safe"},
        "`acks=all` with `min.insync.replicas` of 2",
    ),
    Fact(
        "a broker that only leads is ended by SIGTERM, acks=1: acknowledged readings that are gone",
        "none: it hands its partitions over",
        (0, 0), "lost", "durability", _durability("terminate", LEADER_ONLY, "1"),
        "`acks=all`: what it confirmed last the new leader had not copied yet",
    ),
    *_rolling("rolling_restart", "all brokers are ended by SIGTERM and started again, one after the other"),
    *_rolling("rolling_upgrade", "all brokers are upgraded to 4.4.0, one after the other, and the features raised"),
    *_rolling("rolling_upgrade_and_back", "two brokers are upgraded to 4.4.0 and taken back"),
)  # fmt: skip
