"""The verdict on the records of a test, on logs and outputs made by hand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest
from confluent_kafka import KafkaError, Message

from factorylab.core.errors import UsageError
from factorylab.testing import Deliveries, assert_delivery
from factorylab.testing.delivery import as_they_are
from factorylab.testing.history import LogRecord, Numbered
from factorylab.testing.verdict import Delivery, allowed, judged

RECORDS, KEYS, PARTITIONS = 12, 4, 2  # record i has key i mod 4 and lies in partition i mod 2
SPANS = dict.fromkeys(range(PARTITIONS), (0, RECORDS))
Spoil = Callable[[list[LogRecord]], object]


def identity(i: int) -> Hashable:
    return f"k{i % KEYS}".encode(), f"v{i}".encode()


def record(i: int, offset: int | None = None) -> LogRecord:
    return LogRecord(i % PARTITIONS, i // PARTITIONS if offset is None else offset, identity(i))


def answered(unknown: Sequence[int] = (), *, in_order: bool = True, acks: str = "all") -> Deliveries:
    """All records, acknowledged where they lie, but those of which nothing is known."""
    sent = Deliveries(acks)
    for i in range(RECORDS):
        key, value = f"k{i % KEYS}", f"v{i}"
        answer = sent.of(value, key) if in_order else sent
        error = KafkaError(KafkaError._MSG_TIMED_OUT) if i in unknown else None
        answer(error, Message(value=value.encode(), key=key.encode(), partition=i % PARTITIONS, offset=i // PARTITIONS))
    return sent


def found(sent: Deliveries, log: Sequence[LogRecord], **more: object) -> Delivery:
    return judged(Numbered.of(sent, as_they_are), log, SPANS, **more)  # type: ignore[arg-type]


def fired(delivery: Delivery) -> dict[str, int]:
    return {check.name: check.count for check in delivery.broken}


def whole() -> list[LogRecord]:
    return [record(i) for i in range(RECORDS)]


def test_what_arrived_once_and_in_order_passes() -> None:
    """Every check is asked, none fires, in the log as in the output."""
    delivery = found(answered(), whole(), received=[identity(i) for i in range(RECORDS)], positions={0: 6, 1: 6})
    assert delivery.ok and {check.verdict for check in delivery.checks} == {"PASS"}
    assert (len(delivery.checks), delivery.acknowledged, delivery.foreign) == (8, RECORDS, 0)


@pytest.mark.parametrize(
    ("spoil", "names", "witness"),
    [
        (
            lambda log: log.pop(5),
            {"lost_in_log": 1},
            "key k1 seq 1, partition 1 offset 2, acknowledged, not in the log",
        ),
        (lambda log: log.append(record(5, 20)), {"duplicate_in_log": 1}, "key k1 seq 1, partition 1 offset 2, more"),
        (lambda log: log.__setitem__(1, record(1, 20)), {"reordered_in_log": 1}, "key k1 seq 1, partition 1 offset 2"),
    ],
    ids=["lost", "doubled", "reordered"],
)
def test_what_is_lost_doubled_or_out_of_order_is_told_with_a_record(
    spoil: Spoil, names: dict[str, int], witness: str
) -> None:
    """One record that is spoilt breaks one check, whose text names it."""
    log = whole()
    spoil(log)
    delivery = found(answered(), log)
    assert not delivery.ok and fired(delivery) == names
    assert str(delivery).startswith("FAIL") and witness in str(delivery)


def test_what_got_no_answer_is_counted_and_never_lost() -> None:
    """Two unknown records, of which the log has one, break nothing; they are counted."""
    log = [one for i, one in enumerate(whole()) if i != 5]
    delivery = found(answered(unknown=(4, 5)), log)
    assert delivery.ok and (delivery.acknowledged, delivery.unknown, delivery.unknown_found) == (RECORDS - 2, 2, 1)
    assert "2 unknown, 1 of them in the log" in str(delivery)


@pytest.mark.parametrize("sent", [Deliveries(), answered(range(RECORDS)), answered(acks="0")], ids=["none", "un", "0"])
def test_nothing_acknowledged_is_no_pass(sent: Deliveries) -> None:
    """Without an acknowledgement (none sent, none answered, acks=0) the verdict is inconclusive."""
    delivery = found(sent, whole())
    assert not delivery.ok and str(delivery).startswith("inconclusive: no record was acknowledged")


def test_the_order_of_the_answers_is_not_taken_for_that_of_the_sends() -> None:
    """Where only answers were heard the order is not asked, and the text says how it can be."""
    log = whole()
    log[1] = record(1, 20)
    delivery = found(answered(in_order=False), log)
    assert delivery.ok and {c.name for c in delivery.checks if not c.asked} == {"reordered_in_log"}
    assert "pass on_delivery=sent.of(value, key)" in str(delivery)


def test_a_single_record_of_each_key_has_no_order() -> None:
    """Then the order is not asked, which is no pass."""
    sent = Deliveries()
    for i in range(3):
        sent.of(f"v{i}", f"k{i}")(None, Message(partition=0, offset=i))
    log = [LogRecord(0, i, (f"k{i}".encode(), f"v{i}".encode())) for i in range(3)]
    assert [c.name for c in found(sent, log).checks if not c.asked] == ["reordered_in_log"]


def test_an_acknowledged_record_that_retention_took_is_told() -> None:
    """What lies below the log's start is neither there nor lost by a fault: it has a check of its own."""
    delivery = judged(Numbered.of(answered(), as_they_are), whole()[2:], {0: (1, 6), 1: (1, 6)})
    assert fired(delivery) == {"expired": 2}


def test_foreign_records_are_counted_and_not_judged() -> None:
    """What others wrote into the topic, and an output that was never sent, break nothing."""
    log = [*whole(), LogRecord(0, 30, (b"x", b"y"))]
    received: list[Hashable] = [*(one.identity for one in log), (b"p", b"q")]
    delivery = found(answered(), log, received=received)
    assert delivery.ok and (delivery.foreign, delivery.foreign_outputs) == (1, 2)


@pytest.mark.parametrize(
    ("received", "positions", "names"),
    [
        ([*range(5), *range(6, 12)], None, {"lost_in_pipeline": 1}),
        ([*range(5), *range(6, 12)], {0: 6, 1: 3}, {"lost_in_pipeline": 1}),
        ([*range(5), *range(6, 12)], {0: 6, 1: 2}, {"not_drained": 1}),
        ([0, *range(12)], None, {"duplicate_in_store": 1}),
        ([0, 1, 2, 3, 4, 6, 7, 8, 9, 5, 10, 11], None, {"reordered_in_output": 1}),
    ],
    ids=["left out", "below the commit", "above the commit", "twice", "out of order"],
)
def test_the_output_is_held_against_the_log(
    received: list[int], positions: dict[int, int] | None, names: dict[str, int]
) -> None:
    """Left out, twice, out of order; with the group's offset, what it has not read is told from what it passed over."""
    delivery = found(answered(), whole(), received=[identity(i) for i in received], positions=positions)
    assert fired(delivery) == names and delivery.foreign_outputs == 0


def test_what_is_allowed_is_shown_and_breaks_nothing() -> None:
    """A consumer that promises at least once may put out a record twice."""
    received = [identity(0), *(identity(i) for i in range(RECORDS))]
    delivery = found(answered(), whole(), received=received, may_fire=allowed(["duplicate_in_store"]))
    assert delivery.ok and "allowed       duplicate_in_store" in str(delivery)


def test_records_that_look_alike_are_refused() -> None:
    """Two sends of one identity could hide a loss: the error names it, and the way out."""
    sent = Deliveries()
    sent.of("same", "k")
    sent.of("same", "k")
    with pytest.raises(UsageError, match=r"\(b'k', b'same'\).*identity="):
        Numbered.of(sent, as_they_are)


def test_an_identity_without_a_hash_is_refused() -> None:
    """A list can be looked for nowhere."""
    with pytest.raises(UsageError, match="has no hash"):
        Numbered.of(answered(), lambda key, value: [key, value])


def test_outputs_of_another_form_are_refused() -> None:
    """Texts are no pairs of bytes: all would seem to be lost."""
    with pytest.raises(UsageError, match=r"it has 'v0', and a record is \(b'k0', b'v0'\); give identity="):
        found(answered(), whole(), received=[f"v{i}" for i in range(RECORDS)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"topic": "orders"}, "add bootstrap=kafka_cluster.bootstrap"),
        ({"topic": "orders", "bootstrap": "nowhere:1", "group": "g"}, "received="),
        (
            {"topic": "orders", "bootstrap": "nowhere:1", "allow": ["lost"]},
            "no such check; there are: duplicate_in_log",
        ),
        ({"topic": "orders", "bootstrap": "nowhere:1", "allow": "lost"}, "no such check"),
    ],
)
def test_arguments_that_fit_nothing_are_refused_before_anything_is_asked(
    arguments: dict[str, object], words: str
) -> None:
    """A topic without a cluster, a group without its output, a check that is none."""
    with pytest.raises(UsageError, match=words):
        assert_delivery(answered(), **arguments)  # type: ignore[arg-type]
