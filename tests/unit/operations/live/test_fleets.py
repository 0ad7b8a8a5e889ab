"""What fleets offer and Kafka acknowledges, read from a journal that grows and from an exporter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab.core.clock import now_ns
from factorylab.history.journal import REFUSED, SEND, AckJournal, BinaryJournal, acks_path, sends_path
from factorylab.operations.live.fleets import JournalFleets, quantile_of_buckets


def sends(first: int, count: int, t_ns: int) -> np.ndarray:  # type: ignore[type-arg]
    block = np.zeros(count, SEND)
    block["t_ns"], block["hash"], block["seq"] = t_ns, np.arange(first, first + count), range(count)
    return block


def test_a_journal_that_grows_is_counted_as_it_does(tmp_path: Path) -> None:
    """Offered are all sends, acknowledged are the answers without an error; empty rows of the chunk count for nothing,
    and the quantile is of the times between."""
    sent, answered = BinaryJournal(sends_path(tmp_path, "fleet-0"), SEND), AckJournal(acks_path(tmp_path, "fleet-0"))
    fleets = JournalFleets(tmp_path)
    first = fleets.look()
    assert (first.offered, first.acked, first.ack_p99_s) == ({"fleet-0": 0}, {"fleet-0": 0}, None)
    sent.extend(sends(1, 500, now_ns() - 2_000_000_000))
    for payload_hash in range(1, 401):
        answered.add(payload_hash, 0, 0, 0)
    answered.add(401, 0, REFUSED, -184)
    answered.add(402, 0, 0, 7)
    found = fleets.look()
    assert (found.offered, found.acked) == ({"fleet-0": 500}, {"fleet-0": 400})
    assert found.ack_p99_s == pytest.approx(2.0, abs=0.5) and not found.bound
    sent.extend(sends(501, 10, now_ns()))
    assert fleets.look().offered == {"fleet-0": 510}
    for journal in (sent, answered, fleets):
        journal.close()


def test_a_quantile_of_buckets_is_an_upper_bound_of_what_came_between() -> None:
    """Of a hundred that came, 99 took at most 10 ms; what was there before counts for nothing."""
    then = {0.001: 50.0, 0.01: 50.0, 0.1: 50.0, float("inf"): 50.0}
    now = {0.001: 60.0, 0.01: 149.0, 0.1: 150.0, float("inf"): 150.0}
    assert quantile_of_buckets(then, now, 0.99) == 0.01
    assert quantile_of_buckets(now, now, 0.99) is None
    assert quantile_of_buckets({}, {0.1: 1.0, float("inf"): 100.0}, 0.99) is None
