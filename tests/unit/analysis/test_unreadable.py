"""Acknowledged and not readable, against histories in which it is known how far the high watermark stays behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab.analysis.readings import Readings
from factorylab.analysis.unreadable import most_unreadable, unreadable
from factorylab.audit.sets.quantities import NOT_ASKED, quantities
from tests.support.histories import History, at_ns, healthy, scenario
from tests.support.losses import CUT_AT, isolated


def level(h: History, behind: int, from_s: float, until_s: float) -> None:
    """The high watermark of each partition is what was acknowledged when the probe asked, and of partition 0 from one
    moment to another so many less."""
    rows = h["partitions"]
    for partition in (0, 1, 2):
        acked = np.sort(h["sends"].loc[h["sends"]["partition"] == partition, "t_ack_ns"].to_numpy())
        mine = rows["partition"] == partition
        rows.loc[mine, "end"] = np.searchsorted(acked, rows.loc[mine, "asked_ns"].to_numpy(), side="right")
    held = (rows["partition"] == 0) & rows["t_ns"].between(at_ns(from_s), at_ns(until_s))
    rows.loc[held, "end"] -= behind


def most(h: History) -> dict[int, int]:
    run = h.run()
    return most_unreadable(unreadable(run, Readings(run)))


def test_what_lies_above_the_high_watermark_is_counted(tmp_path: Path) -> None:
    """A high watermark that is 60 readings behind from 3 s to 5 s: 60 of its partition, none of the others."""
    history = healthy(tmp_path, scenario(clients={"acks": "1"}))
    level(history, 60, 3, 5)
    assert most(history) == {0: 60, 1: 0, 2: 0}


def test_what_one_replica_alone_holds_is_readable(tmp_path: Path) -> None:
    """Exposed is not unreadable: where the ISR is the leader, the high watermark does not wait."""
    history = healthy(tmp_path, scenario(clients={"acks": "1"}))
    level(history, 0, 3, 5)
    rows = history["partitions"]
    rows["isr"] = [isr[:1] for isr in rows["isr"]]
    exposure = history.run().verdict.exposure
    assert most(history) == {0: 0, 1: 0, 2: 0} and exposure is not None and exposure.high > 0


def test_an_answer_that_is_none_counts_nothing(tmp_path: Path) -> None:
    """Where no broker answered in time the end means nothing."""
    history = healthy(tmp_path, scenario(clients={"acks": "1"}))
    level(history, 60, 3, 5)
    rows = history["partitions"]
    rows.loc[rows["t_ns"].between(at_ns(3), at_ns(5)), "valid"] = False
    assert most(history)[0] == 0


def test_what_was_cut_off_is_lost_and_no_longer_unreadable(tmp_path: Path) -> None:
    """100 readings of an isolated leader count until another leads."""
    history = isolated(tmp_path)
    sends, rows = history["sends"], history["partitions"]
    lost = (sends["partition"] == 0) & (sends["offset"] >= CUT_AT) & (sends["t_ns"] < at_ns(9))
    sends.loc[lost, "t_ack_ns"] = at_ns(7)
    rows.loc[(rows["partition"] == 0) & (rows["t_ns"] > at_ns(6)), "end"] = CUT_AT
    run = history.run()
    found = unreadable(run, Readings(run)).query("partition == 0")
    seconds = run.seconds(found["t_ns"])
    assert (found.loc[(seconds > 7.3) & (seconds < 8.8), "readings"] == 100).all()
    kept = np.sort(sends.loc[(sends["partition"] == 0) & ~lost & (sends["offset"] >= CUT_AT), "t_ack_ns"])
    assert found.loc[seconds > 9.3, "readings"].max() <= len(kept)


@pytest.mark.parametrize(("acks", "missing"), [("0", NOT_ASKED), ("1", ""), ("all", "")])
def test_without_acknowledgements_it_is_not_asked(tmp_path: Path, acks: str, missing: str) -> None:
    """The quantity is a number where something was acknowledged; under acks=0 it is none, and not zero."""
    run = healthy(tmp_path, scenario(clients={"acks": acks})).run()
    found = quantities(run, run.verdict)["unreadable"]
    assert found.missing == missing and (found.value is None) == (acks == "0")
