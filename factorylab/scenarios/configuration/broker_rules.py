"""What the settings of the brokers allow, whatever the clients are. A topic may have settings of its own."""

from __future__ import annotations

from factorylab.scenarios.configuration.effective import Side, Together, Value
from factorylab.scenarios.configuration.producer_rules import BEHAVIOUR, CONTROLS, KAFKA
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.stall_times import Stall, not_predicted

REPLICAS, MIN_ISR = "default.replication.factor", "min.insync.replicas"
AS_LONG_AS_AWAY = Stall(words="not predicted: as long as the broker is away")
RETENTION = (("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000))
"""The first that is set counts (Kafka's documentation of log.retention.ms); each in milliseconds."""


def _unclean(side: Side, _: Together) -> tuple[Value, ...]:
    allowed = side.get("unclean.leader.election.enable")
    return (allowed,) if allowed.true else ()


def _one(name: str) -> Rule:
    """Of an internal topic with one replica."""
    what, whose = {
        "offsets.topic.replication.factor": ("a group's coordinator", "the groups whose offsets it has stand still"),
        "transaction.state.log.replication.factor": ("a transaction's coordinator", "its producers stand still"),
    }[name]
    return Rule(
        name.replace(".", "_"), "broker", "stall", lambda s, _: (s.get(name),) if s.get(name).number == 1 else (),
        failure="a broker dies or is ended",
        why=f"{what} has its state on that broker alone: {whose}, and with its disk the state is lost",
        prevention=f"{name}=3", source=KAFKA, stall=lambda s, t: AS_LONG_AS_AWAY,
    )  # fmt: skip


def _no_copy(side: Side, _: Together) -> tuple[Value, ...]:
    replicas = side.get(REPLICAS)
    return (replicas,) if replicas.number == 1 else ()


def _none_to_spare(side: Side, _: Together) -> tuple[Value, ...]:
    replicas, least = side.get(REPLICAS), side.get(MIN_ISR)
    return (replicas, least) if replicas.number <= least.number > 1 else ()


def _leaves_without_a_word(side: Side, _: Together) -> tuple[Value, ...]:
    hands_over = side.get("controlled.shutdown.enable")
    return () if hands_over.true else (hands_over,)


def _retention(side: Side, _: Together) -> tuple[Value, ...]:
    given = [side.get(name) for name, _ in RETENTION if side.given(name)]
    return (given[0] if given else side.get("log.retention.hours"),)


RULES = (
    Rule(
        "unclean_election", "broker", "loss", _unclean,
        failure="the in-sync replicas of a partition are away, and another one is back first",
        why="a replica that lacks records becomes the leader, and what only the others had is gone",
        prevention="unclean.leader.election.enable=false", source=CONTROLS, shown_by=("P2",),
    ),
    Rule(
        "one_replica", "broker", "loss", _no_copy,
        failure="a broker's disk is lost",
        why="topics that do not say otherwise have one replica: nobody else has the records",
        prevention=f"{REPLICAS}=3 with {MIN_ISR}=2", source=KAFKA,
    ),
    Rule(
        "one_replica_away", "broker", "stall", _no_copy,
        failure="a broker dies, freezes or is ended",
        why="nobody else can lead its partitions",
        prevention=f"{REPLICAS}=3", source=KAFKA, stall=lambda s, t: AS_LONG_AS_AWAY,
    ),
    Rule(
        "none_to_spare", "broker", "stall", _none_to_spare,
        failure="one broker is away; with fewer replicas than min.insync.replicas without any failure",
        why="fewer replicas than min.insync.replicas are in sync, so that writes with acks=all are refused",
        prevention=f"{MIN_ISR} at least one below {REPLICAS}", source=KAFKA, stall=lambda s, t: AS_LONG_AS_AWAY,
    ),
    _one("offsets.topic.replication.factor"),
    _one("transaction.state.log.replication.factor"),
    Rule(
        "leaves_without_a_word", "broker", "stall", _leaves_without_a_word,
        failure="a broker is ended in order, as in an update",
        why="it hands nothing over, so that its partitions wait as after a kill",
        prevention="controlled.shutdown.enable=true", source=f"{KAFKA}; {BEHAVIOUR}",
        stall=lambda s, t: not_predicted("see the producer's leader_killed"),
    ),
    Rule(
        "expired", "broker", "loss", _retention,
        failure="nobody reads for longer than records are kept",
        why="records are deleted, read or not",
        prevention="a retention longer than the longest outage", source=CONTROLS, shown_by=("P12",),
        depends_on="how long a reader may be away, and the topic's own retention",
    ),
    Rule(
        "power_cut", "broker", "loss", lambda s, _: (s.get("log.flush.interval.messages"),),
        failure="all replicas lose their power at the same time",
        why="a record is confirmed before it is on a disk: Kafka relies on replicas that do not fail together",
        prevention="replicas in places with power of their own (broker.rack)", source=KAFKA,
        depends_on="whether brokers can lose their power together",
    ),
)  # fmt: skip
