"""What an error of a Kafka client means: dead, nothing at all, or what may pass; and settings that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from factorylab.core.errors import UsageError
from factorylab.factory import json_logs
from factorylab.factory.client_errors import ClientDead, is_dead, sorted_out
from factorylab.factory.config import FleetConfig
from factorylab.factory.fleet.fleet import Fleet
from factorylab.factory.process import StopSignal
from factorylab.factory.processor.intake import Bad
from factorylab.factory.processor.outbox import Outbox
from factorylab.factory.processor.pace import Pace
from factorylab.factory.processor.processor import Processor
from factorylab.factory.profiles import new_client

DEAD = KafkaError(KafkaError._FATAL, "fenced")
LOGGER = json_logs.configure("test", "error")


class Told:
    """A message of the client, as far as its error goes."""

    def __init__(self, error: KafkaError | None, topic: str | None = "t") -> None:
        self._error, self._topic = error, topic

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str | None:
        return self._topic

    def partition(self) -> int:
        return 0


class DeadProducer:
    """Refuses each record, or reports it as refused, as a producer does after a fatal error."""

    def __init__(self, *, reports: bool) -> None:
        self._reports, self._out = reports, list[Callable[..., None]]()

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int = -1,
        on_delivery: Callable[..., None] = print,
        headers: object = None,
    ) -> None:
        if not self._reports:
            raise KafkaException(DEAD)
        self._out.append(on_delivery)

    def poll(self, _timeout_s: float) -> int:
        out, self._out = self._out, []
        for on_delivery in out:
            on_delivery(DEAD, SimpleNamespace(value=lambda: b"", offset=lambda: None, partition=lambda: 0))
        return len(out)

    flush = poll

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=["sensor-data"])

    def __len__(self) -> int:
        return len(self._out)


@pytest.mark.parametrize(
    ("error", "dead"),
    [
        (DEAD, True),
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, "", True), True),
        (KafkaError(KafkaError._TRANSPORT), False),
        (KafkaError(KafkaError._MAX_POLL_EXCEEDED), False),
        (KafkaError(KafkaError._ALL_BROKERS_DOWN), False),
    ],
)
def test_a_client_is_dead_by_code_or_by_flag(error: KafkaError, dead: bool) -> None:
    """The code _FATAL is enough, and so is the flag; what may pass by itself is neither."""
    assert is_dead(error) == dead


def test_the_end_of_a_partition_is_no_error() -> None:
    """Of a poll, records and errors are told apart; an error without a topic is about no partition."""
    record, end = Told(None), Told(KafkaError(KafkaError._PARTITION_EOF))
    about_one, about_all = (
        Told(KafkaError(KafkaError._AUTO_OFFSET_RESET)),
        Told(KafkaError(KafkaError._TRANSPORT), None),
    )
    records, errors = sorted_out([record, end, about_one, about_all])  # type: ignore[list-item]
    assert records == [record]
    assert [(error.code(), partition) for error, partition in errors] == [
        (KafkaError._AUTO_OFFSET_RESET, 0),
        (KafkaError._TRANSPORT, None),
    ]


def test_a_dead_consumer_is_no_error_among_others() -> None:
    """The one message that tells of it ends the process, whatever came with it."""
    with pytest.raises(ClientDead, match="fenced"):
        sorted_out([Told(None), Told(DEAD, None)])  # type: ignore[list-item]


def test_a_dead_member_takes_nothing_that_waits() -> None:
    """The poll that tells of the death comes before partitions that wait for the store are tried again."""
    taken: list[bool] = []
    member = SimpleNamespace(
        _pace=Pace(300),
        _outbox=Outbox(DeadProducer(reports=False), "a", "d", 5),  # type: ignore[arg-type]
        _consumer=SimpleNamespace(poll=lambda _timeout_s: Told(DEAD, None)),
        _assignment=SimpleNamespace(take_pending=lambda: taken.append(True)),
    )
    with pytest.raises(ClientDead):
        Processor._round(member)  # type: ignore[arg-type]
    assert taken == []


@pytest.mark.parametrize("reports", [False, True])
def test_a_dead_producer_is_not_tried_again(reports: bool, tmp_path: Path) -> None:
    """Neither the outbox of a processor nor a fleet goes on with one, however it is told."""
    outbox = Outbox(DeadProducer(reports=reports), "a", "d", 5)  # type: ignore[arg-type]
    with pytest.raises(ClientDead):
        outbox.dead_letter("t", Bad(0, 0, 7, None, b"x", ValueError()))
        outbox.settle(lambda: False, {})
    fleet = Fleet(
        FleetConfig(bootstrap="127.0.0.1:1", worker="f", journal_dir=tmp_path, rate="1000"), LOGGER, StopSignal()
    )
    fleet._producer = DeadProducer(reports=reports)  # type: ignore[assignment]
    with pytest.raises(ClientDead):
        fleet.run()


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (Consumer, "no.such.key"),
        (Consumer, "error_cb"),
        (Consumer, "throttle_cb"),
        (Consumer, "default.topic.config"),
        (Producer, "delivery.report.only.error"),
        (Producer, "acks"),
    ],
)
def test_whatever_a_constructor_raises_is_wrong_usage(kind: Callable[..., object], key: str) -> None:
    """Clients refuse settings by four kinds of exception; each names the setting, or says what was expected."""
    settings = {"group.id": "g"} if kind is Consumer else {}
    with pytest.raises(UsageError, match=r"Kafka client settings: .+; see producer_config"):
        new_client(kind, settings | {key: "nonsense"}, LOGGER)
