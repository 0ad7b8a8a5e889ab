"""Exposure: how many acknowledged readings one death would have lost, against histories in which that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab import analysis
from factorylab.audit.model.verdict import panel
from factorylab.history.saved_run import Run
from tests.support.histories import History, S, at_ns, healthy, scenario
from tests.support.losses import CUT_AT, isolated

PER_S = 100 / 3  # readings a second and partition


def level(h: History, behind: int, from_s: float = -9, until_s: float = 99) -> None:
    """The high watermark of partition 0 lies so far behind what was acknowledged when the probe asked."""
    rows = h["partitions"]
    acked = np.sort(h["sends"].loc[h["sends"]["partition"] == 0, "t_ack_ns"].to_numpy())
    end = np.searchsorted(acked, rows["asked_ns"].to_numpy(), side="right")
    mine = rows["partition"] == 0
    rows.loc[mine, "end"] = end[mine]
    held = mine & rows["t_ns"].between(at_ns(from_s), at_ns(until_s))
    rows.loc[held, "end"] = np.maximum(rows.loc[held, "end"] - behind, 0)


def alone(h: History, from_s: float, until_s: float) -> None:
    """Of partition 0 only the leader is in sync."""
    rows = h["partitions"]
    hit = (rows["partition"] == 0) & rows["t_ns"].between(at_ns(from_s), at_ns(until_s))
    rows["isr"] = [isr[:1] if one else isr for one, isr in zip(hit, rows["isr"], strict=True)]


def of_partition_0(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = analysis.exposure(run)
    mine = frame[(frame["partition"] == 0) & frame["t_s"].between(0, 10)]
    return mine["t_s"].to_numpy(), mine["low"].to_numpy(), mine["high"].to_numpy()


def test_under_acks_all_nothing_is_exposed_while_two_are_in_sync(tmp_path: Path) -> None:
    """An acknowledgement proves the copies, however old the last look at the high watermark is."""
    history = healthy(tmp_path)
    level(history, 50)
    verdict = history.run().verdict
    assert verdict.exposure is not None and (verdict.exposure.high, verdict.exposure.leader) == (0, -1)


def test_under_acks_1_what_lies_above_the_high_watermark_is_exposed(tmp_path: Path) -> None:
    """Followers that stay 20 readings behind leave at least that many less one sample's on the leader alone."""
    history = healthy(tmp_path, scenario(clients={"acks": "1"}))
    level(history, 20)
    _, low, high = of_partition_0(history.run())
    assert (low >= 20 - PER_S * 0.21).all() and (high <= 20 + PER_S * 0.25).all() and (low <= high).all()
    assert high.max() >= 20


def test_the_worst_moment_is_named(tmp_path: Path) -> None:
    """The leader whose followers fell behind from 3 s to 5 s is named with a moment in that time."""
    history = healthy(tmp_path, scenario(clients={"acks": "1"}))
    level(history, 60, 3, 5)
    worst = history.run().verdict.exposure
    assert worst is not None and 3 <= worst.t_s <= 5 and worst.leader == 1 and not worst.alone
    assert worst.low <= 60 <= worst.high + PER_S * 0.25 and "the disk of broker 1" in str(worst)


@pytest.mark.parametrize("acks", ["1", "all"])
def test_what_is_confirmed_while_one_replica_is_in_sync_is_exposed(tmp_path: Path, acks: str) -> None:
    """From 4 s to 7 s the ISR is the leader: exposure grows with each acknowledgement until a second is back."""
    history = healthy(tmp_path, scenario(clients={"acks": acks}))
    level(history, 0)
    alone(history, 4, 7)
    t_s, low, high = of_partition_0(history.run())
    for at, expected in ((5.0, PER_S), (6.0, 2 * PER_S), (6.8, 2.8 * PER_S)):
        i = int(np.argmin(np.abs(t_s - at)))
        assert low[i] - 1 <= expected <= high[i] + 1 and high[i] - low[i] <= PER_S * 0.5
    assert high[t_s > 7.5].max() <= PER_S * 0.25 and low[t_s < 3.8].max() <= 1


def test_what_a_change_of_leader_cut_off_is_exposed_until_then_and_lost_after(tmp_path: Path) -> None:
    """100 readings of an isolated leader count until another leads; after it only what that one acknowledged alone."""
    history = isolated(tmp_path)
    sends, rows = history["sends"], history["partitions"]
    of_0 = sends["partition"] == 0
    lost = of_0 & (sends["offset"] >= CUT_AT) & (sends["t_ns"] < at_ns(9))
    sends.loc[lost, "t_ack_ns"] = at_ns(7)
    rows.loc[(rows["partition"] == 0) & (rows["t_ns"] > at_ns(6)), "end"] = CUT_AT
    t_s, low, high = of_partition_0(history.run())
    before, after = (t_s > 7.2) & (t_s < 8.8), (t_s > 9.3)
    assert (low[before] == 100).all() and (high[before] == 100).all()
    acks = np.sort(sends.loc[of_0 & ~lost & (sends["offset"] >= CUT_AT), "t_ack_ns"])
    alone = np.searchsorted(acks, np.array([at_ns(t) for t in t_s[after]]), side="right")
    assert alone.max() > 0 and (np.abs(high[after] - alone) <= 1).all() and (low[after] <= high[after]).all()


def test_an_answer_whose_end_is_younger_than_its_isr_does_not_narrow_the_band(tmp_path: Path) -> None:
    """The last answer with two in sync already counts what was acknowledged alone: the truth stays inside the band."""
    history = healthy(tmp_path)
    level(history, 0)
    alone(history, 4, 7)
    rows = history["partitions"]
    rows.loc[(rows["partition"] == 0) & rows["t_ns"].between(at_ns(3.8), at_ns(3.95)), "end"] += 30
    t_s, low, high = of_partition_0(history.run())
    i = int(np.argmin(np.abs(t_s - 5.0)))
    assert low[i] - 1 <= PER_S <= high[i] + 1


def test_under_acks_0_nothing_is_confirmed_and_nothing_exposed(tmp_path: Path) -> None:
    """The verdict says so, instead of praising the replicas."""
    verdict = healthy(tmp_path, scenario(clients={"acks": "0"})).run().verdict
    assert verdict.exposure is None and "exposure: none: no reading was acknowledged" in panel(verdict)


def test_an_older_history_has_a_wider_band(tmp_path: Path) -> None:
    """Without the moment of asking, the band covers all that the probe may have waited; the truth stays inside."""
    widths = []
    for name in ("new", "old"):
        history = healthy(tmp_path / name, scenario(clients={"acks": "1"}))
        level(history, 20)
        if name == "old":
            history["partitions"] = history["partitions"].drop(columns="asked_ns")
        _, low, high = of_partition_0(history.run())
        assert (low <= 20 + PER_S * 0.25).all()
        widths.append((high - low).mean())
    assert widths[1] > 2 * widths[0]


def test_a_probe_that_saw_nothing_gives_no_exposure(tmp_path: Path) -> None:
    """Without a sample the verdict claims nothing."""
    history = healthy(tmp_path)
    history["partitions"]["leader"] = -1
    assert history.run().verdict.exposure is None


def test_the_count_of_exposed_readings_is_exact(tmp_path: Path) -> None:
    """Acks counts confirmations at or above a floor by a moment as plain counting does, in any order of arrival."""
    from factorylab.analysis.exposure import Acks

    dice = np.random.default_rng(7)
    times, offsets = dice.integers(0, 50 * S, 500), dice.permutation(500)
    at, floor = dice.integers(0, 50 * S, 40), dice.integers(0, 500, 40)
    plain = [int(((times <= t) & (offsets >= f)).sum()) for t, f in zip(at, floor, strict=True)]
    acks = Acks()
    acks.add(times, offsets)
    assert acks.count(at, floor).tolist() == plain
