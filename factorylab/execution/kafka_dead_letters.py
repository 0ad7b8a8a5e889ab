"""Dead letters of a share group that Kafka writes itself (KIP-1191), tried before a run depends on them.

A broker takes any name for the topic, and where it cannot write there it tells nobody: the rejected record is gone. So
the lab rejects a record on purpose, in a group of its own with the same settings, and waits for its letter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import AcknowledgeType, Message, Producer, ShareConsumer

from factorylab.cluster.admin import Admin
from factorylab.cluster.librdkafka import client_config
from factorylab.core.clock import now_ns
from factorylab.core.errors import LabError, WaitTimeout
from factorylab.core.messages import payload_hash
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.execution.log_scan import WORKER, as_bytes, header_pairs, payload, read_topic
from factorylab.factory.client_errors import sorted_out
from factorylab.history.tables import DeadLetterSeen
from factorylab.scenarios.model import Scenario, Topology

KEY, VALUE, OWN_HEADER = b"rehearsal", b"rejected on purpose", "trace"
GIVEN_S, LETTER_S = 30.0, 10.0  # a letter came within a second on an idle lab
PREFIX = "__dlq.errors."


def settings_of(names: Names, scenario: Scenario) -> dict[str, str]:
    """The group's settings for its dead letters; none where Kafka writes none."""
    if scenario.share_group.kafka_dead_letters == "none":
        return {}
    return {
        "errors.deadletterqueue.topic.name": names.kafka_dead_letters,
        "errors.deadletterqueue.copy.record.enable": "true",  # by default a letter has neither key nor value
    }


def prepared(admin: Admin, names: Names, scenario: Scenario) -> tuple[str, bool]:
    """Make the topic, and reject a record on purpose: what became of it, in words, and whether a letter came.

    Raises:
        LabError: the record could not be rejected, so nothing is known.
    """
    topic, settings = names.kafka_dead_letters, settings_of(names, scenario)
    admin.create_topics([topic], scenario.topology)
    if scenario.share_group.kafka_dead_letters == "enabled":
        admin.enable_dead_letters(topic)
    rehearsal = f"{names.sensors}-rehearsal"
    admin.create_topics([rehearsal], Topology(partitions=1, profile=scenario.topology.profile))
    admin.configure_group(rehearsal, settings | {"share.auto.offset.reset": "earliest"})
    try:
        _reject(admin.bootstrap, rehearsal)
        return _what_arrived(admin, topic, rehearsal)
    finally:
        admin.delete_group(rehearsal)
        admin.delete_topics([rehearsal])


def _what_arrived(admin: Admin, topic: str, rehearsal: str) -> tuple[str, bool]:
    since = time.monotonic()
    try:
        letter = _first_letter(admin, topic, rehearsal)
    except WaitTimeout:
        return (
            f"no dead letter of Kafka arrives in {topic}: a record was rejected on purpose, the broker told no error, "
            f"and nothing came within {LETTER_S:g} s. Enable the topic for dead letters "
            "(errors.deadletterqueue.group.enable), or leave them to the workers: kafka_dead_letters: none"
        ), False
    return f"{_words(letter, topic)}, {time.monotonic() - since:.1f} s after it was rejected on purpose", True


def _reject(bootstrap: str, topic: str) -> None:
    """One record, written to the topic, and rejected by the only member of the group of the same name."""
    producer = Producer(client_config(bootstrap, "factorylab-rehearsal"))
    producer.produce(topic, VALUE, KEY, headers=[(OWN_HEADER, b"1")])
    producer.flush(GIVEN_S)
    with _member(bootstrap, topic) as member:

        def given() -> list[Message]:
            return sorted_out(member.poll(0.1))[0]

        for record in wait_until(given, what="the record of the rehearsal", timeout_s=GIVEN_S):
            member.acknowledge(record, AcknowledgeType.REJECT)
        if refused := [error for error in member.commit_sync(GIVEN_S).values() if error is not None]:
            raise LabError(f"the broker did not take the rejection of the rehearsal: {refused[0]}")


@contextmanager
def _member(bootstrap: str, topic: str) -> Iterator[ShareConsumer]:
    own = {"group.id": topic, "share.acknowledgement.mode": "explicit"}
    member = ShareConsumer({**client_config(bootstrap, "factorylab-rehearsal"), **own})
    try:
        member.subscribe([topic])
        yield member
    finally:
        member.close()


def _first_letter(admin: Admin, topic: str, origin: str) -> Message:
    def look() -> Message | None:
        batches = read_topic(admin.bootstrap, topic, admin.spans(topic))
        return next((one for batch in batches for one in batch if _said(one).get("topic") == origin), None)

    return wait_until(look, what="its letter", timeout_s=LETTER_S, every_s=0.5)


def _said(message: Message) -> dict[str, str]:
    """What Kafka wrote into the headers of a letter, without its prefix."""
    pairs = ((name, as_bytes(value).decode(errors="replace")) for name, value in header_pairs(message))
    return {name.removeprefix(PREFIX): value for name, value in pairs if name.startswith(PREFIX)}


def _words(letter: Message, topic: str) -> str:
    names = [name for name, _ in header_pairs(letter)]
    whole = "key and value as they were" if (letter.key(), letter.value()) == (KEY, VALUE) else "another key or value"
    own = "its own header kept" if OWN_HEADER in names else "its own header dropped"
    added = ", ".join(sorted(_said(letter)))
    return f"a dead letter arrived in {topic}: {whole}, {own}, headers {PREFIX}* added ({added})"


def letters_of(admin: Admin, topic: str, origin: str) -> Iterator[DeadLetterSeen]:
    """The rows of the dead letters that Kafka wrote of records of `origin`; those of the rehearsal are others."""
    for batch in read_topic(admin.bootstrap, topic, admin.spans(topic)):
        for message in batch:
            said = _said(message)
            if said.get("topic") == origin:
                yield DeadLetterSeen(
                    worker=WORKER,
                    t_ns=now_ns(),
                    partition=int(said["partition"]),
                    offset=int(said["offset"]),
                    reason=f"by Kafka, delivery {said.get('delivery.count', '?')}: {said.get('message', '')}",
                    payload_hash=payload_hash(payload(message)),
                )
