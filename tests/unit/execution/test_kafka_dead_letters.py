"""Dead letters that Kafka writes itself: what one tells, and what a rehearsal says of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from factorylab.core.errors import WaitTimeout
from factorylab.core.messages import payload_hash
from factorylab.core.names import Names
from factorylab.execution import kafka_dead_letters
from factorylab.scenarios.model import scenario_from

NAMES = Names.of("r1")
SCENARIO = scenario_from(
    {"name": "q", "consumption": "share", "share_group": {"kafka_dead_letters": "enabled"},
     "topology": {"kafka": "4.4.0"}}, "test",
)  # fmt: skip


class Letter:
    """As much of a consumer's message as is looked at; its headers are those that Kafka 4.4.0 writes."""

    def __init__(self, topic: str, *own: tuple[str, bytes], key: bytes | None = b"k", value: bytes = b"v") -> None:
        said = {"topic": topic, "partition": "2", "offset": "41", "group": "g", "delivery.count": "5", "message": "m"}
        self._headers = [(f"__dlq.errors.{name}", text.encode()) for name, text in said.items()] + list(own)
        self._pair = (key, value)

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers

    def key(self) -> bytes | None:
        return self._pair[0]

    def value(self) -> bytes:
        return self._pair[1]


def lab_with(monkeypatch: pytest.MonkeyPatch, *letters: Letter) -> Any:
    """Admin of a lab whose topic of dead letters holds these; what it was told to do is in `told`."""
    told: list[str] = []

    def does(name: str) -> Any:
        return lambda *_given, **_more: told.append(name)

    calls = ("create_topics", "enable_dead_letters", "configure_group", "delete_group", "delete_topics")
    monkeypatch.setattr(kafka_dead_letters, "read_topic", lambda *_: iter([list(letters)]))
    monkeypatch.setattr(kafka_dead_letters, "_reject", lambda *_: told.append("reject"))
    monkeypatch.setattr(kafka_dead_letters, "LETTER_S", 0.0)
    own = {"bootstrap": "nowhere:1", "spans": lambda _topic: {}, "told": told}
    return SimpleNamespace(**own, **{name: does(name) for name in calls})


def test_only_letters_of_the_readings_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names the place of its record; that of the rehearsal is of another topic, and in no history."""
    admin = lab_with(monkeypatch, Letter(f"{NAMES.sensors}-rehearsal"), Letter(NAMES.sensors))
    rows = list(kafka_dead_letters.letters_of(admin, NAMES.kafka_dead_letters, NAMES.sensors))
    assert [(row.partition, row.offset, row.payload_hash) for row in rows] == [(2, 41, payload_hash(b"v"))]
    assert rows[0].reason == "by Kafka, delivery 5: m"


def test_a_rehearsal_says_what_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the broker leaves out is told, and the rehearsal's own topic and group are gone afterwards."""
    sent = {"key": kafka_dead_letters.KEY, "value": kafka_dead_letters.VALUE}
    admin = lab_with(monkeypatch, Letter(f"{NAMES.sensors}-rehearsal", **sent))
    words, arrived = kafka_dead_letters.prepared(admin, NAMES, SCENARIO)
    assert arrived and "key and value as they were, its own header dropped" in words
    assert "delivery.count, group, message, offset, partition, topic" in words
    assert admin.told == [
        "create_topics", "enable_dead_letters", "create_topics", "configure_group", "reject", "delete_group",
        "delete_topics",
    ]  # fmt: skip


def test_a_topic_that_takes_no_letter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker says nothing, so the missing letter does, with the way out; nothing is left behind."""
    admin = lab_with(monkeypatch)
    words, arrived = kafka_dead_letters.prepared(admin, NAMES, SCENARIO)
    assert not arrived and NAMES.kafka_dead_letters in words and "errors.deadletterqueue.group.enable" in words
    assert admin.told[-2:] == ["delete_group", "delete_topics"]


def test_a_rehearsal_that_was_given_nothing_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its own record never came, the topic is not blamed: that nothing was given is an error of its own."""
    admin = lab_with(monkeypatch)

    def never(*_: object) -> None:
        raise WaitTimeout("waited 30 s for the record of the rehearsal")

    monkeypatch.setattr(kafka_dead_letters, "_reject", never)
    with pytest.raises(WaitTimeout, match="the record of the rehearsal"):
        kafka_dead_letters.prepared(admin, NAMES, SCENARIO)
