"""Delivery reports become rows of the journal of answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import KafkaError, Message

from factorylab.core.clock import now_ns
from factorylab.core.messages import payload_hash
from factorylab.factory.fleet.answers import Answers
from factorylab.history import journal
from factorylab.history.journal import ACK, read_rows


def test_a_delivery_report_is_noted_with_what_the_client_knows(tmp_path: Path) -> None:
    """An acknowledgement has its partition and offset, or −1 where the client does not know them; a failure has its
    code and is told, too; each has the hash of its payload and the time at which it came."""
    failures: list[KafkaError] = []
    answers, began = Answers(tmp_path / "acks.bin", failures.append), now_ns()
    answers.report(None, Message(value=b"known", partition=2, offset=7))
    answers.report(None, Message(value=b"unknown", partition=-1, offset=-1001))
    answers.report(KafkaError(KafkaError._MSG_TIMED_OUT), Message(value=b"late", partition=1, offset=-1001))
    answers.close()
    rows = read_rows(tmp_path / "acks.bin", ACK)
    assert rows[["hash", "offset", "partition", "error"]].tolist() == [
        (payload_hash(b"known"), 7, 2, 0),
        (payload_hash(b"unknown"), -1, -1, 0),
        (payload_hash(b"late"), -1, 1, KafkaError._MSG_TIMED_OUT),
    ]
    assert (np.diff([began, *rows["t_ns"].tolist(), now_ns()]) >= 0).all()
    assert answers.acked == 2 and [error.code() for error in failures] == [KafkaError._MSG_TIMED_OUT]


def test_answers_and_refusals_share_a_journal_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports and refusals in turn, more than a chunk of them, are all there in their order."""
    monkeypatch.setattr(journal, "CHUNK_ROWS", 4096)
    answers = Answers(tmp_path / "acks.bin", print)
    for number in range(1, 5000):
        answers.report(None, Message(value=b"v", partition=0, offset=2 * number))
        answers.add(number, 2 * number + 1, journal.REFUSED, 0)
    answers.close()
    assert np.array_equal(read_rows(tmp_path / "acks.bin", ACK)["offset"], np.arange(2, 10_000))
