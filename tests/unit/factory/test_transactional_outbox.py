"""Processors in Kafka transactions: what is told of once is only stored, and what a producer is configured with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import SecretStr

from factorylab.core.backoff import Backoff
from factorylab.core.messages import Alert
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.processor.batches import Batches
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.outbox import Span
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.pace import Pace
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.profiles import alert_producer
from factorylab.factory.store.positions import Taken
from factorylab.factory.store.rows import StoreBatch
from factorylab.history.journal import Journal, read_journal
from factorylab.history.tables import Transaction
from tests.support.wire import wire


def config(**given: object) -> ProcessorConfig:
    return ProcessorConfig(
        bootstrap="localhost:1", database_url=SecretStr("postgresql://u:p@h/d"), worker="processor-0", **given
    )


class Told:
    """What a processor's outbox and store were given."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.spans: list[dict[int, Span]] = []
        self.stored: list[StoreBatch] = []

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def settle(self, _hurry: object, spans: Mapping[int, Span]) -> None:
        self.spans.append(dict(spans))

    def commit(self, batch: StoreBatch) -> int:
        self.stored.append(batch)
        return batch.rows

    def sensor_ids(self, sensors: object) -> dict[str, int]:
        return {name: 1 for name, _, _ in sensors}  # type: ignore[attr-defined]


def worked_on(delivered_to: int) -> tuple[Told, list[str]]:
    """Sixty readings of partition 3, of which those below `delivered_to` were told of; and the alerts of all."""
    pairs = [wire(seq=n, readings={"temperature_c": 70 + n % 7 * 6.0}) for n in range(60)]
    records = Records(3, np.arange(60), [key for key, _ in pairs], [value for _, value in pairs])
    told, whole = Told(), Owned.of(3, Taken(0, 1), 1).prepare(records, Told().sensor_ids)
    owned = Owned.of(3, Taken(0, 1), 1)
    owned.delivered_to = delivered_to
    member = SimpleNamespace(
        config=config(transaction_timeout_s=60),
        log=SimpleNamespace(info=quiet, debug=quiet, warning=quiet),
        counts=Counter(),
        consumer=None,
        store=told,
        outbox=told,
        pace=Pace(300),
        commits=SimpleNamespace(send=quiet),
        assignment=SimpleNamespace(owned={3: owned}, backoff=Backoff()),
        evidence=ProcessorJournal("processor-0", None),
    )
    Batches(member, stop=False).work([records])  # type: ignore[arg-type]
    return told, [alert.alert_id for alert in whole.alerts]


def quiet(*_: object, **__: object) -> None:
    """Says nothing."""


@pytest.mark.parametrize("delivered_to", [0, 1, 25, 59, 60, 99])
def test_what_was_told_of_is_stored_and_not_told_again(delivered_to: int) -> None:
    """Its own alerts and readings are stored, all of them once and in their order; only the others are sent, with the
    offsets that are theirs."""
    told, whole = worked_on(delivered_to)
    spans = [(batch.from_offset, batch.to_offset) for batch in told.stored]
    begin = min(delivered_to, 60)
    assert spans == [span for span in ((0, begin), (begin, 60)) if span[0] < span[1]]
    assert [row.alert_id for batch in told.stored for row in batch.alerts] == whole and len(whole) > 10
    assert all(alert.seq >= delivered_to for alert in told.alerts)
    assert [alert.alert_id for alert in told.alerts] == whole[len(whole) - len(told.alerts) :]
    assert [one for one in told.spans if one] == ([{3: (begin, 60)}] if begin < 60 else [])


def test_a_producer_of_transactions_has_an_id_that_outlives_its_process() -> None:
    """It waits for nothing longer than a transaction may last, which the client would refuse; without transactions
    nothing of that is set."""
    made = alert_producer(config(group="g", transaction_timeout_s=5))
    assert (made["transactional.id"], made["transaction.timeout.ms"]) == ("g-processor-0", 5000)
    assert made["enable.idempotence"] is True
    assert all(int(made[name]) <= 5000 for name in ("socket.timeout.ms", "delivery.timeout.ms"))
    assert not [name for name in alert_producer(config()) if name.startswith("transaction")]


def test_each_partition_of_a_transaction_is_noted(tmp_path: Path) -> None:
    """With what became of it, as the audit reads it."""
    journal = Journal(tmp_path, "processor-0", "processor")
    ProcessorJournal("processor-0", journal).transaction({0: (3, 9), 2: (0, 4)}, begun_ns=7, sent=2, result="_FENCED")
    journal.close()
    rows = [row for row in read_journal(tmp_path, "processor-0") if isinstance(row, Transaction)]
    assert [(r.partition, r.from_offset, r.to_offset) for r in rows] == [(0, 3, 9), (2, 0, 4)]
    assert {(r.begun_ns, r.sent, r.result) for r in rows} == {(7, 2, "_FENCED")}
