"""One row or one cell that contradicts others: each is found by its words, and what comes close to it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from factorylab.core.clock import NS
from tests.support.histories import History, at_ns, broker_loss, consumer_loss, healthy, network_partition, sampled
from tests.support.spoils import Spoil, both, check_of, later, set_cell


def sample(table: str, column: str, value: object, at_s: float, **where: object) -> Spoil:
    """One cell of the first sample after a moment."""

    def spoil(h: History) -> None:
        frame = h[table]
        hit = frame["t_ns"] >= at_ns(at_s)
        for name, of in where.items():
            hit &= frame[name] == of
        frame.at[frame.index[hit][0], column] = value

    return spoil


def twice(table: str) -> Spoil:
    return lambda h: h.__setitem__(table, pd.concat([h[table], h[table].tail(1)], ignore_index=True))


def spans(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Spoil:
    return lambda h: h.__setitem__("cross_reads", change(sampled(h["log"], h["frozen"])))


def idempotent(*spoils: Spoil) -> Spoil:
    def spoil(h: History) -> None:
        h.made_of["producer"] = {"acks": "all", "enable.idempotence": "true"}
        for one in spoils:
            one(h)

    return spoil


def no_member(h: History) -> None:
    members = h["members"]
    h["members"] = members.drop(index=members.index[members["t_ns"] > at_ns(1)][0])


def sent_late(h: History) -> None:
    h["sends"].loc[6, ["t_intended_ns", "t_ns", "t_ack_ns"]] += NS


def last_note_missing(h: History) -> None:
    """Of the transaction that the group's last sample of partition 0 names."""
    committed = h["lag"].loc[h["lag"]["partition"] == 0, "committed"].max()
    told = (h["commits"]["partition"] == 0) & (h["commits"]["to_offset"] == committed)
    assert told.sum() == 1
    h["commits"] = h["commits"][~told]


LATE_ACK = set_cell("sends", 6, "t_ack_ns", at_ns(-1))
FOUND: dict[str, tuple[Callable[[Path], History], Spoil, str, str]] = {
    "a callback that stands twice": (broker_loss, twice("group"), "tables", "group has rows twice"),
    "a try of a link that stands twice": (network_partition, twice("reach"), "tables", "reach has rows twice"),
    "a member that a look has twice": (healthy, twice("members"), "samples_agree", "1 samples of members and views"),
    "two sensors that changed their names": (
        broker_loss, both(*(set_cell("sensors", row, "name", f"temperature-0000{1 - row}") for row in (0, 1))),
        "known_names", "sensor 0 is temperature-00001 on line-1, and should be temperature-00000 on line-1"),
    "a sensor on another line": (
        broker_loss, set_cell("sensors", 2, "location", "line-2"), "known_names", "-00002 on line-3"),
    "a leader outside of the ISR": (
        broker_loss, sample("partitions", "isr", [2, 3], 1, partition=0), "samples_agree", "not in the ISR"),
    "a third replica of two": (
        broker_loss, sample("partitions", "isr", [1, 3], 1, partition=0), "samples_agree", "has 2 replicas"),
    "a member that has another's partition": (
        broker_loss, sample("members", "partitions", [1], 1, member="processor-0"), "samples_agree", "no member"),
    "a look that lacks a member": (
        broker_loss, no_member, "samples_agree", "no member for it"),
    "a committed offset within a transaction": (
        broker_loss, sample("lag", "committed", 7, 1, partition=0), "samples_agree", "no end of a transaction"),
    "a sample that another client did not read": (
        broker_loss, spans(lambda read: read.drop(index=1)), "cross_read", "not read"),
    "a sample that nobody asked for": (
        broker_loss, spans(lambda read: read.assign(last_offset=read["last_offset"] + 1)), "cross_read", "not one of"),
    "a stage that ended later": (broker_loss, later("stages", 1, rate_per_s=0.0), "reading_times", "due times"),
    "an answer out of turn": (broker_loss, idempotent(LATE_ACK), "reading_times", "were answered before a record"),
    "a send out of turn": (
        broker_loss, idempotent(sent_late), "reading_times", "were sent before a record"),
}  # fmt: skip
HARMLESS: dict[str, tuple[Callable[[Path], History], Spoil, str]] = {
    "a member that rejoined after a fault": (broker_loss, twice("members"), "samples_agree"),
    "a member that waits until the session of what it was is over": (
        healthy, both(lambda h: h["members"].__setitem__("state", "PreparingRebalance"), twice("members")),
        "samples_agree"),
    "an idempotent producer": (broker_loss, idempotent(), "reading_times"),
    "answers out of turn of a producer that may send again": (broker_loss, LATE_ACK, "reading_times"),
    "a member without a partition, as its session ran out": (
        consumer_loss, sample("members", "partitions", [], 8, member="processor-0"), "samples_agree"),
    "a committed offset that only a killed owner's poll tells of": (consumer_loss, last_note_missing, "samples_agree"),
}  # fmt: skip


@pytest.mark.parametrize("claim", FOUND)
def test_it_is_found(tmp_path: Path, claim: str) -> None:
    """Its check says what contradicts what."""
    make, spoil, name, words = FOUND[claim]
    history = make(tmp_path)
    spoil(history)
    found = check_of(history.run(), name)
    assert found.verdict == "INVALID" and words in found.measured


@pytest.mark.parametrize("claim", HARMLESS)
def test_what_comes_close_is_not(tmp_path: Path, claim: str) -> None:
    """The same check passes."""
    make, spoil, name = HARMLESS[claim]
    history = make(tmp_path)
    spoil(history)
    assert check_of(history.run(), name).verdict == "PASS"
