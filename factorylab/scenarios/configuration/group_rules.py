"""What the settings of a consumer allow as a member of its group: sessions, static members, assignors."""

from __future__ import annotations

from collections.abc import Callable

from factorylab.core.sessions import CLASSIC_SESSION_S
from factorylab.scenarios.configuration.effective import Side, Together, Value
from factorylab.scenarios.configuration.producer_rules import BEHAVIOUR, KAFKA, PREDICTIONS
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.stall_times import Stall, not_predicted, removal

PROTOCOLS = {
    "RangeAssignor": "range", "RoundRobinAssignor": "roundrobin", "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}  # fmt: skip
"""Java's classes, and the names by which members of a classic group agree on one."""
STATIC = "group.instance.id"


def member(side: Side) -> bool:
    """Is it in a group? Without group.id it assigns partitions itself."""
    return side.given("group.id")


def _classic_session(side: Side) -> tuple[Value, ...]:
    return (side.get("session.timeout.ms"),) if member(side) and side.protocol == "classic" else ()


def _short_session(side: Side, _: Together) -> tuple[Value, ...]:
    return tuple(v for v in _classic_session(side) if v.number < CLASSIC_SESSION_S * 1000)


def _refused_session(side: Side, around: Together) -> tuple[Value, ...]:
    session = _classic_session(side)
    if not session:
        return ()
    ends = [f"group.{end}.session.timeout.ms" for end in ("min", "max")]
    low, high = (around.usual(name).number for name in ends)
    return () if low <= session[0].number <= high else (*session, *map(around.broker, ends))


def _static(protocol: str) -> Callable[[Side, Together], tuple[Value, ...]]:
    def when(side: Side, _: Together) -> tuple[Value, ...]:
        fits = side.given(STATIC) and member(side) and side.protocol == protocol
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
    groups = {side.get("group.id").text for side in (one, other) if member(side) and side.protocol == "classic"}
    return member(one) and member(other) and one.protocol == other.protocol == "classic" and len(groups) == 1


def _member_settings(side: Side, around: Together) -> tuple[Value, ...]:
    if not member(side):
        return ()
    if side.protocol == "classic":
        return _classic_session(side)
    return (side.get("group.protocol"), around.broker("group.consumer.session.timeout.ms"))


RULES = (
    Rule(
        "short_session", "consumer", "double", _short_session,
        failure="the broker that coordinates the group dies",
        why="heartbeats wait behind commits until the group has another coordinator: a living member may lose its "
        "partitions with records in its hands",
        prevention=f"session.timeout.ms of {CLASSIC_SESSION_S * 1000:.0f} or more", source="docs/decisions.md",
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
)  # fmt: skip
