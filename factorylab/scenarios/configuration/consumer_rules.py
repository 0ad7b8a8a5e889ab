"""What the settings of a consumer allow."""

from __future__ import annotations

from factorylab.scenarios.configuration.effective import NotGiven, Side, Together, Value
from factorylab.scenarios.configuration.group_rules import member
from factorylab.scenarios.configuration.producer_rules import CONTROLS, KAFKA, LIBRDKAFKA, PREDICTIONS
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.stall_times import consumer_stall

LATEST = {"latest", "largest", "end"}


def _commits_itself(side: Side) -> tuple[Value, ...]:
    commits = side.get("enable.auto.commit")
    return (commits, side.get("auto.commit.interval.ms")) if commits.true and member(side) else ()


def _stores_before(side: Side, _: Together) -> tuple[Value, ...]:
    commits = () if side.java else _commits_itself(side)
    stores = side.get("enable.auto.offset.store") if commits else None
    return (commits[0], stores) if stores and stores.true else ()


def _commits_in_poll(side: Side, _: Together) -> tuple[Value, ...]:
    return _commits_itself(side) if side.java else ()


def _commits_by_program(side: Side, _: Together) -> tuple[Value, ...]:
    return () if _commits_itself(side) or not member(side) else (side.get("enable.auto.commit"),)


def _begins_at_the_end(side: Side, _: Together) -> tuple[Value, ...]:
    reset = side.get("auto.offset.reset")
    return (reset,) if reset.text.lower() in LATEST else ()


def _polls(side: Side, _: Together) -> tuple[Value, ...]:
    if not member(side):
        return ()
    limit = side.get("max.poll.interval.ms")
    return (limit, side.get("max.poll.records")) if side.java else (limit,)


def _sees_aborted(side: Side, around: Together) -> tuple[Value, ...]:
    level = side.get("isolation.level")
    if level.text != "read_uncommitted":
        return ()
    if not around.producers:
        raise NotGiven("whether the topic is written in transactions: no producer's file was given")
    return (level,) if any(one.given("transactional.id") for one in around.producers) else ()


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
        "former_owner_writes", "consumer", "double", lambda s, _: (s.get("group.id"),) if member(s) else (),
        failure="the program is frozen for longer than its session, another one takes over, and it goes on",
        why="it still has records in its hands, which the new owner processes as well",
        prevention="a sink that refuses a former owner (a fence), or a unique key of each record", source=CONTROLS,
        shown_by=("P7",), depends_on="whether the sink refuses a former owner or knows a record again",
    ),
    Rule(
        "sees_aborted", "consumer", "double", _sees_aborted,
        failure="a transaction of the producer is aborted and done again",
        why="records of aborted transactions are read like others",
        prevention="isolation.level=read_committed", source=KAFKA,
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
