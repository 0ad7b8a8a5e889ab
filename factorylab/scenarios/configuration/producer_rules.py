"""What the settings of a producer allow."""

from __future__ import annotations

from factorylab.scenarios.configuration.effective import Side, Together, Value
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.stall_times import Stall, producer_stall, readers_stall

CONTROLS, BEHAVIOUR, PREDICTIONS = "docs/controls.md", "docs/behaviour.md", "docs/predictions.md"
KAFKA, LIBRDKAFKA = "Kafka 4.3 documentation", "librdkafka 2.16, CONFIGURATION.md"
IN_FLIGHT, IDEMPOTENCE = "max.in.flight.requests.per.connection", "enable.idempotence"
CLIENT_ADDS_MS = 5_000
"""What a client adds to the end of a dead leader's session at most, measured: docs/behaviour.md, the first rows."""


def _acks(side: Side, *these: str) -> tuple[Value, ...]:
    return (side.get("acks"),) if side.acks in these else ()


def _unreadable(side: Side, around: Together) -> tuple[Value, ...]:
    acks = _acks(side, "1")
    least = around.broker("min.insync.replicas", "the topic") if acks else None
    return (*acks, least) if least and least.number > 1 else ()


def _alone_in_sync(side: Side, around: Together) -> tuple[Value, ...]:
    acks = _acks(side, "all")
    least = around.broker("min.insync.replicas", "the topic") if acks else None
    return (*acks, least) if least and least.number == 1 else ()


def _resends(side: Side, _: Together) -> tuple[Value, ...]:
    """Requests are sent again, and the broker cannot tell that it has them."""
    idempotence, retries = side.get(IDEMPOTENCE), side.get("retries")
    return () if idempotence.true or retries.number == 0 or side.acks == "0" else (idempotence, retries)


def _overtakes(side: Side, around: Together) -> tuple[Value, ...]:
    """librdkafka drops a connection whose request timed out, and what waits in it is read after the next one's."""
    idempotence, flight = side.get(IDEMPOTENCE), side.get(IN_FLIGHT)
    again = bool(_resends(side, around)) or (not side.java and side.acks != "0")
    return (idempotence, flight) if again and not idempotence.true and flight.number > 1 else ()


def _never_again(side: Side, _: Together) -> tuple[Value, ...]:
    retries = side.get("retries")
    return (retries,) if retries.number == 0 and side.acks != "0" else ()


def _gives_up_early(side: Side, around: Together) -> tuple[Value, ...]:
    limit, session = side.get("delivery.timeout.ms"), around.usual("broker.session.timeout.ms")
    if side.acks == "0" or not limit.number:  # 0 is no limit (librdkafka)
        return ()
    return (limit, session) if limit.number <= session.number + CLIENT_ADDS_MS else ()


def _buffer(side: Side, _: Together) -> tuple[Value, ...]:
    names = ("buffer.memory", "max.block.ms") if side.java else ("queue.buffering.max.messages",)
    return tuple(side.get(name) for name in names)


def _too_long_a_transaction(side: Side, around: Together) -> tuple[Value, ...]:
    if not side.given("transactional.id"):
        return ()
    wanted, limit = side.get("transaction.timeout.ms"), "transaction.max.timeout.ms"
    return (wanted, around.broker(limit)) if wanted.number > around.usual(limit).number else ()


def _transactional(side: Side, _: Together) -> tuple[Value, ...]:
    return (side.get("transaction.timeout.ms"),) if side.given("transactional.id") else ()


def _open_transaction(side: Side, _: Together) -> Stall:
    limit_s = side.get("transaction.timeout.ms").number / 1000
    return Stall(words=f"not predicted: {limit_s:g} s at most, and the coordinator's next look for old transactions")


def _other_partitioner(side: Side, _: Together) -> tuple[Value, ...]:
    if side.java:
        return ()
    partitioner = side.get("partitioner")
    return () if partitioner.text.startswith("murmur2") else (partitioner,)


RULES = (
    Rule(
        "acks_of_nobody", "producer", "loss", lambda s, _: _acks(s, "0"),
        failure="a leader dies, freezes, moves, or refuses the write",
        why="no broker confirms anything, so that nobody learns what did not arrive",
        prevention="acks=all", source=CONTROLS, shown_by=("P4",),
    ),
    Rule(
        "acks_of_the_leader_alone", "producer", "loss", lambda s, _: _acks(s, "1"),
        failure="the leader dies, is cut off from its peers or is ended in order, before its followers have copied",
        why="the leader confirms alone; another one leads on without what only the old one had",
        prevention="acks=all, with min.insync.replicas of 2", source=CONTROLS, shown_by=("P1", "NP"),
    ),
    Rule(
        "last_in_sync", "producer", "loss", _alone_in_sync,
        failure="the followers are away, then the leader's disk is lost",
        why="with one replica in sync, acks=all is the acknowledgement of the leader alone",
        prevention="min.insync.replicas=2 with 3 replicas", source=CONTROLS, shown_by=("P3",),
    ),
    Rule(
        "confirmed_and_unreadable", "producer", "stall", _unreadable,
        failure="so many followers are away that fewer than min.insync.replicas are in sync",
        why="the leader confirms alone, and the high watermark stands still: nobody reads that, and the lag shows 0",
        prevention="acks=all, which is refused then", source=BEHAVIOUR,
        stall=lambda s, t: Stall(words="not predicted: until enough followers are back in sync"),
    ),
    Rule(
        "sent_twice", "producer", "double", _resends,
        failure="a leader freezes or a connection breaks after a record is written and before its answer arrives",
        why="the record is sent again, and the broker cannot tell that it has it",
        prevention="enable.idempotence=true, with acks=all", source=CONTROLS, shown_by=("P9",),
    ),
    Rule(
        "overtaken", "producer", "reorder", _overtakes,
        failure="one of several requests on their way fails or times out",
        why="later requests are written before the one that is sent again, or that still waits in a dropped connection",
        prevention="enable.idempotence=true, or max.in.flight.requests.per.connection=1", source=f"{CONTROLS}; {KAFKA}",
    ),
    Rule(
        "never_sent_again", "producer", "loss", _never_again,
        failure="a leader moves, or a request fails once",
        why="the record fails at once: it is gone unless the program looks at the answer and sends it again, which may "
        "double it",
        prevention="retries left at its default, with delivery.timeout.ms as the limit", source=KAFKA,
    ),
    Rule(
        "given_up_early", "producer", "loss", _gives_up_early,
        failure="a leader dies or freezes",
        why="the record is given up before another leader can confirm it: gone, unless the program sends it again",
        prevention="delivery.timeout.ms well above what a dead leader costs: its default", source=BEHAVIOUR,
    ),
    Rule(
        "given_up_and_written", "producer", "double", _gives_up_early,
        failure="a leader freezes, or answers late",
        why="a record that is given up may be in the log all the same, also with idempotence: a program that sends it "
        "again doubles it",
        prevention="delivery.timeout.ms well above what a dead leader costs: its default", source=CONTROLS,
        shown_by=("N1",),
    ),
    Rule(
        "queue_full", "producer", "loss", _buffer,
        failure="nothing is acknowledged for a while, as after a leader's death",
        why="once its memory is full the client refuses new records",
        prevention="a larger buffer, or a program that waits and tries again", source=f"{KAFKA}; {LIBRDKAFKA}",
        depends_on="how many records the program makes while nothing is acknowledged",
    ),
    Rule(
        "other_partitions", "producer", "reorder", _other_partitioner,
        failure="none: it happens without one",
        why="librdkafka and Java's client then send the same key to different partitions, where its order ends",
        prevention="partitioner=murmur2_random", source=LIBRDKAFKA,
        depends_on="whether a Java client writes records with the same keys",
    ),
    Rule(
        "leader_killed", "producer", "stall", lambda s, _: () if s.acks == "0" else (s.get("acks"),),
        failure="the broker that leads a partition is killed",
        why="another one leads once the dead one's session is over, and the client must hear of it",
        prevention="a shorter broker.session.timeout.ms; for a planned stop SIGTERM and patience", source=PREDICTIONS,
        shown_by=("N2",), stall=lambda s, t: producer_stall(s, t, "kill"),
    ),
    Rule(
        "follower_killed", "producer", "stall", lambda s, _: _acks(s, "all"),
        failure="a broker that only follows is killed",
        why="acknowledgements wait until the dead follower leaves the ISR, at the end of its session",
        prevention="a shorter broker.session.timeout.ms", source=PREDICTIONS,
        stall=lambda s, t: producer_stall(s, t, "kill", "followed"),
    ),
    Rule(
        "readers_wait_for_a_follower", "producer", "stall", lambda s, _: _acks(s, "1"),
        failure="a broker that only follows is killed",
        why="the leader confirms alone, and nobody reads that until the dead follower leaves the ISR",
        prevention="a shorter broker.session.timeout.ms", source=BEHAVIOUR, stall=readers_stall,
    ),
    Rule(
        "leader_frozen", "producer", "stall", lambda s, _: () if s.acks == "0" else (_silence(s),),
        failure="the broker that leads a partition freezes, or is cut off without a word",
        why="the connection stays: the client goes elsewhere only when it asks for metadata, or gives a request up",
        prevention="shorter: request.timeout.ms and metadata.max.age.ms (Java), socket.timeout.ms and "
        "topic.metadata.refresh.interval.ms (librdkafka)", source=PREDICTIONS,
        stall=lambda s, t: producer_stall(s, t, "pause"),
    ),
    Rule(
        "transaction_refused", "producer", "stall", _too_long_a_transaction,
        failure="none: it happens without one",
        why="the brokers refuse a transaction that may last longer than transaction.max.timeout.ms",
        prevention="a shorter transaction.timeout.ms", source=KAFKA,
        stall=lambda s, t: Stall(words="for good: the producer does not begin"),
    ),
    Rule(
        "transaction_left_open", "producer", "stall", _transactional,
        failure="the producer dies in a transaction and does not come back under its id",
        why="readers with isolation.level=read_committed wait at the open transaction",
        prevention="a shorter transaction.timeout.ms", source=KAFKA, stall=_open_transaction,
    ),
)  # fmt: skip


def _silence(side: Side) -> Value:
    """How long a client waits for an answer."""
    return side.get("request.timeout.ms" if side.java else "socket.timeout.ms")
