"""What the settings of a consumer allow."""

from __future__ import annotations

from collections.abc import Callable

from factorylab.core.sessions import CLASSIC_SESSION_S
from factorylab.scenarios.configuration.effective import NotGiven, Side, Together, Value
from factorylab.scenarios.configuration.producer_rules import BEHAVIOUR, CONTROLS, KAFKA, LIBRDKAFKA, PREDICTIONS
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.stall_times import Stall, consumer_stall, not_predicted, removal

LATEST = {"latest", "largest", "end"}
PROTOCOLS = {
    "RangeAssignor": "range", "RoundRobinAssignor": "roundrobin", "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}  # fmt: skip
"""Java's classes, and the names by which members of a classic group agree on one."""
STATIC = "group.instance.id"


def _member(side: Side) -> bool:
    return side.given("group.id")


def _commits_itself(side: Side) -> tuple[Value, ...]:
    commits = side.get("enable.auto.commit")
    return (commits, side.get("auto.commit.interval.ms")) if commits.true and _member(side) else ()


def _stores_before(side: Side, _: Together) -> tuple[Value, ...]:
    commits = () if side.java else _commits_itself(side)
    stores = side.get("enable.auto.offset.store") if commits else None
    return (commits[0], stores) if stores and stores.true else ()


def _commits_in_poll(side: Side, _: Together) -> tuple[Value, ...]:
    return _commits_itself(side) if side.java else ()


def _commits_by_program(side: Side, _: Together) -> tuple[Value, ...]:
    return () if _commits_itself(side) or not _member(side) else (side.get("enable.auto.commit"),)


def _begins_at_the_end(side: Side, _: Together) -> tuple[Value, ...]:
    reset = side.get("auto.offset.reset")
    return (reset,) if reset.text.lower() in LATEST else ()


def _polls(side: Side, _: Together) -> tuple[Value, ...]:
    if not _member(side):
        return ()
    limit = side.get("max.poll.interval.ms")
    return (limit, side.get("max.poll.records")) if side.java else (limit,)


def _classic_session(side: Side) -> tuple[Value, ...]:
    return (side.get("session.timeout.ms"),) if _member(side) and side.protocol == "classic" else ()


def _short_session(side: Side, _: Together) -> tuple[Value, ...]:
    return tuple(v for v in _classic_session(side) if v.number < CLASSIC_SESSION_S * 1000)


def _refused_session(side: Side, around: Together) -> tuple[Value, ...]:
    session = _classic_session(side)
    if not session:
        return ()
    ends = [f"group.{end}.session.timeout.ms" for end in ("min", "max")]
    low, high = (around.usual(name).number for name in ends)
    return () if low <= session[0].number <= high else (*session, *map(around.broker, ends))


def _sees_aborted(side: Side, around: Together) -> tuple[Value, ...]:
    level = side.get("isolation.level")
    if level.text != "read_uncommitted":
        return ()
    if not around.producers:
        raise NotGiven("whether the topic is written in transactions: no producer's file was given")
    return (level,) if any(one.given("transactional.id") for one in around.producers) else ()


def _static(protocol: str) -> Callable[[Side, Together], tuple[Value, ...]]:
    def when(side: Side, _: Together) -> tuple[Value, ...]:
        fits = side.given(STATIC) and _member(side) and side.protocol == protocol
        return (side.get(STATIC), side.get("group.protocol")) if fits else ()

    return when


def _refused_for_good(side: Side, _: Together) -> Stall:
    if side.java:
        return not_predicted("measured with librdkafka alone, which is refused for good")
    return Stall(words="for good: the new member is refused and stays dead until its program is started again later")


def assignors(side: Side) -> set[str]:
    """The protocols of a classic group that this member can do, by the names that it sends."""
    words = [word.strip() for word in side.get("partition.assignment.strategy").text.split(",")]
    return {PROTOCOLS.get(word.rsplit(".", 1)[-1], word) for word in words}


def _nothing_in_common(side: Side, around: Together) -> tuple[Value, ...]:
    """With one of the other files' members of the same group."""
    others = [one for one in around.consumers if one is not side and _same_classic_group(side, one)]
    apart = [one for one in others if not assignors(side) & assignors(one)]
    return tuple(one.get("partition.assignment.strategy") for one in (side, *apart)) if apart else ()


def _same_classic_group(one: Side, other: Side) -> bool:
    groups = {side.get("group.id").text for side in (one, other) if _member(side) and side.protocol == "classic"}
    return _member(one) and _member(other) and one.protocol == other.protocol == "classic" and len(groups) == 1


def _member_settings(side: Side, around: Together) -> tuple[Value, ...]:
    if not _member(side):
        return ()
    if side.protocol == "classic":
        return _classic_session(side)
    return (side.get("group.protocol"), around.broker("group.consumer.session.timeout.ms"))


RULES = (
    Rule(
        "committed_before_processed", "consumer", "loss", _stores_before,
        failure="the program dies, or loses its partitions, with records that it was handed and has not processed",
        why="the client counts a record as done when it hands it out, and commits it in its own time",
        prevention="enable.auto.offset.store=false, and store_offsets() once a record is processed", source=CONTROLS,
        shown_by=("P5",),
    ),
    Rule(
        "committed_late", "consumer", "double", lambda s, _: _commits_itself(s),
        failure="the program dies, or loses its partitions, between two commits",
        why="what was processed since the last commit is read and processed again",
        prevention="the position stored together with the result, or a unique key of each record in the sink",
        source=CONTROLS, shown_by=("P6",),
    ),
    Rule(
        "committed_in_poll", "consumer", "loss", _commits_in_poll,
        failure="the program dies with records that it was handed by an earlier poll() and has not processed",
        why="poll() commits all that former calls returned, processed or not",
        prevention="enable.auto.commit=false, and a commit after the work", source=f"{CONTROLS}; {KAFKA}",
        shown_by=("P5",), depends_on="whether all records of a poll() are processed before the next one (threads?)",
    ),
    Rule(
        "committed_by_program", "consumer", "loss", _commits_by_program,
        failure="the program dies between its commit and its work",
        why="a commit before the work loses what was not done (P5), one after it doubles what was (P6)",
        prevention="the position stored together with the result", source=CONTROLS, shown_by=("P5", "P6"),
        depends_on="when the program commits",
    ),
    Rule(
        "begins_at_the_end", "consumer", "loss", _begins_at_the_end,
        failure="the group is new, its offsets have expired, or its position is no longer in the log",
        why="it begins at the end of the log, and passes over all that was written before",
        prevention="auto.offset.reset=earliest", source=CONTROLS, shown_by=("P11",),
    ),
    Rule(
        "too_slow", "consumer", "double", _polls,
        failure="the work on what one poll() returned lasts longer than max.poll.interval.ms",
        why="the member is put out of its group, and another one reads the same records",
        prevention="a max.poll.interval.ms that outlasts the work, or fewer records a poll", source=CONTROLS,
        shown_by=("P8",), depends_on="how long the work on the records of one poll() lasts",
    ),
    Rule(
        "former_owner_writes", "consumer", "double", lambda s, _: (s.get("group.id"),) if _member(s) else (),
        failure="the program is frozen for longer than its session, another one takes over, and it goes on",
        why="it still has records in its hands, which the new owner processes as well",
        prevention="a sink that refuses a former owner (a fence), or a unique key of each record", source=CONTROLS,
        shown_by=("P7",), depends_on="whether the sink refuses a former owner or knows a record again",
    ),
    Rule(
        "short_session", "consumer", "double", _short_session,
        failure="the broker that coordinates the group dies",
        why="heartbeats wait behind commits until the group has another coordinator: a living member may lose its "
        "partitions with records in its hands",
        prevention=f"session.timeout.ms of {CLASSIC_SESSION_S * 1000:.0f} or more", source="docs/decisions.md",
    ),
    Rule(
        "sees_aborted", "consumer", "double", _sees_aborted,
        failure="a transaction of the producer is aborted and done again",
        why="records of aborted transactions are read like others",
        prevention="isolation.level=read_committed", source=KAFKA,
    ),
    Rule(
        "member_dies", "consumer", "stall", _member_settings,
        failure="the program dies without a word",
        why="nobody has its partitions until its session is over",
        prevention="a shorter session.timeout.ms (classic), group.consumer.session.timeout.ms of the brokers (KIP-848)",
        source=PREDICTIONS, stall=removal,
    ),
    Rule(
        "static_member_away", "consumer", "stall", _static("classic"),
        failure="the program is ended, in order or not, and does not come back at once",
        why="a static member leaves no group: its partitions wait for it, or for the end of its session",
        prevention="no group.instance.id where members go for longer than a restart takes", source=BEHAVIOUR,
        stall=lambda s, t: not_predicted("there is no model of a static member of a classic group whose process ends"),
    ),
    Rule(
        "static_member_refused", "consumer", "stall", _static("consumer"),
        failure="the program is killed and started again before its session is over",
        why="its id is still in use, and the brokers refuse the new member",
        prevention="no group.instance.id with group.protocol=consumer, or a restart after the session",
        source=PREDICTIONS,
        stall=_refused_for_good,
    ),
    Rule(
        "session_refused", "consumer", "stall", _refused_session,
        failure="none: it happens without one",
        why="the coordinator refuses a session outside of the limits of the brokers",
        prevention="a session.timeout.ms within group.min.session.timeout.ms and group.max.session.timeout.ms",
        source=KAFKA, stall=lambda s, t: Stall(words="for good: the member does not join"),
    ),
    Rule(
        "no_common_assignor", "consumer", "stall", _nothing_in_common,
        failure="none: it happens when both are there",
        why="members of a classic group without an assignor in common cannot be in it together",
        prevention="one partition.assignment.strategy for all members", source=KAFKA,
        stall=lambda s, t: Stall(words="for good: the later member does not join"),
    ),
    Rule(
        "leader_frozen_for_readers", "consumer", "stall", lambda s, _: (_fetch_limit(s),),
        failure="the broker that leads a partition freezes, or is cut off without a word",
        why="the connection stays: the client goes elsewhere only when it asks for metadata, or gives a fetch up",
        prevention="shorter: request.timeout.ms and metadata.max.age.ms (Java), socket.timeout.ms and "
        "topic.metadata.refresh.interval.ms (librdkafka)", source=f"{PREDICTIONS}; {LIBRDKAFKA}",
        stall=consumer_stall,
    ),
)  # fmt: skip


def _fetch_limit(side: Side) -> Value:
    return side.get("request.timeout.ms" if side.java else "socket.timeout.ms")
