"""Who had each partition: by the members' callbacks, and by the group's description."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from factorylab.analysis import ownership
from factorylab.analysis.ownership import moves, owned_by_callbacks, owned_by_description, read_again, unowned
from tests.support.histories import History, at_ns, consumer_loss, healthy


def told_late(h: History) -> None:
    """The group names the dead owner of partition 1 until 10 s, then nobody, and from 11 s on its new one."""
    members = h["members"]
    between = members["t_ns"].between(at_ns(10), at_ns(11), inclusive="left")
    moved = members["t_ns"].between(at_ns(11), at_ns(13), inclusive="left")
    gone = members["member"] == "processor-1"
    members.loc[between & gone, "partitions"] = pd.Series([[]] * len(members))
    members.loc[moved & gone, "partitions"] = pd.Series([[]] * len(members))
    members.loc[moved & ~gone, "partitions"] = pd.Series([[0, 1, 2]] * len(members))


def test_a_killed_member_owns_nothing(tmp_path: Path) -> None:
    """Partition 1 is without an owner from the kill at 6 s to the assignment at 11 s, and moves there and back; the
    others are without one while the members' callbacks say so."""
    run = consumer_loss(tmp_path).run()
    gaps = {p: gap.seconds for p, gap in unowned(run, owned_by_callbacks(run)).items()}
    assert gaps[1] == pytest.approx(5.01, abs=0.02) and gaps[0] == gaps[2] == pytest.approx(0.01, abs=1e-3)
    assert moves(owned_by_callbacks(run)) == 2


def test_the_group_is_told_late(tmp_path: Path) -> None:
    """By the group's description partition 1 is without an owner from 10 s to 11 s alone."""
    h = consumer_loss(tmp_path)
    told_late(h)
    run = h.run()
    owners = owned_by_description(run)
    assert owners
    gaps = unowned(run, owners)
    assert gaps[1].seconds == pytest.approx(1.0, abs=0.21) and gaps[0].seconds == gaps[2].seconds == 0
    assert moves(owners) == 2 and not any(gap.censored for gap in gaps.values())


def test_a_frozen_owner_is_none(tmp_path: Path) -> None:
    """A paused member believes that it owns its partition, but does nothing with it until it goes on."""
    h = healthy(tmp_path)
    h.fault("processor-1", 6, 9, kind="pause", target="owner:1")
    run = h.run()
    gap = unowned(run, owned_by_callbacks(run))[1]
    assert gap.seconds == pytest.approx(3, abs=0.2) and not gap.censored


def test_an_owner_that_never_comes_is_a_lower_bound(tmp_path: Path) -> None:
    """Where nobody gets the partition any more, the time is censored at the drain."""
    h = consumer_loss(tmp_path)
    h["group"] = h["group"][h["group"]["t_ns"] < at_ns(6)]
    run = h.run()
    gap = unowned(run, owned_by_callbacks(run))[1]
    assert gap.censored and gap.end_ns == run.phases["drain"]


def test_records_read_again_are_counted_once_each_time(tmp_path: Path) -> None:
    """Polls that go on where another ended read nothing again; a poll repeated reads its records again."""
    h = healthy(tmp_path)
    assert read_again(h.run()) == 0
    twice = h["reads"].iloc[[3]]
    h["reads"] = pd.concat([h["reads"], twice, twice], ignore_index=True)
    again = int((twice["last_offset"] - twice["first_offset"] + 1).item())
    assert read_again(h.run()) == 2 * again > 0


def test_the_order_of_polls_is_that_of_offsets(tmp_path: Path) -> None:
    """A poll inside the range of a longer one is all read again, and hides none that follows it."""
    h = healthy(tmp_path)
    first = h["reads"].iloc[[0]]
    ranges = [(0, 99), (10, 19), (90, 119)]
    rows = [first.assign(first_offset=a, last_offset=b, count=b - a + 1, partition=0) for a, b in ranges]
    h["reads"] = pd.concat(rows, ignore_index=True)
    assert ownership.read_again(h.run()) == 10 + 10


def test_a_group_that_nobody_saw_has_no_owners(tmp_path: Path) -> None:
    """Without any answer of the group there is nothing to say, and no time of 0 s."""
    h = healthy(tmp_path)
    h["members"] = h["members"].iloc[:0]
    assert owned_by_description(h.run()) is None


def test_a_group_that_was_not_seen_for_long_is_not_observed(tmp_path: Path) -> None:
    """No sample for three seconds may be a group without members: nobody knows who owned what."""
    h = consumer_loss(tmp_path)
    h["members"] = h["members"][~h["members"]["t_ns"].between(at_ns(7), at_ns(10))]
    assert owned_by_description(h.run()) is None


def test_what_moves_after_the_end_does_not_count(tmp_path: Path) -> None:
    """An assignment in the drain is no move of the run."""
    h = healthy(tmp_path)
    before = moves(owned_by_callbacks(h.run()))
    drain_s = (h.run().phases["drain"] - at_ns(0)) / 1e9
    h.add("group", worker="processor-0", t_ns=at_ns(drain_s + 0.1), event="revoked", partitions=[[0]], rebalance_no=2)
    h.add("group", worker="processor-1", t_ns=at_ns(drain_s + 0.2), event="assigned", partitions=[[0]], rebalance_no=2)
    assert moves(owned_by_callbacks(h.run())) == before == 0
