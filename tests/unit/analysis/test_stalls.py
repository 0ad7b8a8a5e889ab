"""Stalls whose length, fault and cause are known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from factorylab import analysis
from factorylab.analysis.causes import (
    IN_PROGRESS,
    ISR_WAITS,
    NO_LEADER,
    NO_OWNER,
    NOT_OBSERVED,
    PROCESSOR,
    PRODUCER,
    STORE_AWAY,
    UNKNOWN,
)
from factorylab.analysis.service import ServiceTimes
from factorylab.analysis.stalls import stalled, stalls
from factorylab.audit.model.registry import Evidence
from factorylab.audit.stall_findings import service
from tests.support.histories import History, at_ns, broker_loss, consumer_loss, healthy, scenario, stall

Row = tuple[int, int, str, float, float, list[str]]


def found(h: History) -> list[Row]:
    """Fault, partition, service, start and end to half a second, and the causes; acks first."""
    rows = stalls(h.run()).sort_values(["service", "start_s"], kind="stable").itertuples(index=False)
    return [
        (row.fault, row.partition, row.service, round(row.start_s * 2) / 2, round(row.end_s * 2) / 2,
         [one.cause for one in row.stretches])
        for row in rows
    ]  # fmt: skip


def killed(folder: Path, node: str = "broker-1", target: str = "leader:0", **changes: Any) -> History:
    """A node is dead from 6 s to 12 s, and nothing else happens."""
    h = healthy(folder, scenario(faults=[{"kind": "kill", "target": target, "hold_s": 6}], **changes))
    h.fault(node, 6, 12, target=target)
    return h


def samples(h: History, from_s: float, until_s: float, partition: int | None = None) -> pd.Series[bool]:
    frame = h["partitions"]
    inside = frame["t_ns"].between(at_ns(from_s), at_ns(until_s))
    return inside if partition is None else inside & (frame["partition"] == partition)


def led(folder: Path) -> History:
    h = killed(folder)
    stall(h, 6, 9, (0,))
    return h


def leaderless(folder: Path) -> History:
    h = killed(folder, "broker-3", "broker:3")
    h["partitions"].loc[samples(h, 6, 9, 0), ["leader", "epoch"]] = [-1, 1]
    stall(h, 6, 9, (0,))
    return h


def followed(folder: Path) -> History:
    h = killed(folder)
    stall(h, 6, 9, (2,))
    return h


def unowned(folder: Path) -> History:
    """A living owner loses its partition at 6 s and has it back at 9 s."""
    h = killed(folder)
    for second, event in ((6, "lost"), (8.9, "assigned")):
        h.add("group", worker="processor-1", t_ns=at_ns(second), event=event, partitions=[[1]], rebalance_no=2)
    stall(h, 6, 9, (1,), acks=False)
    return h


def orphaned(folder: Path) -> History:
    """The owner is frozen."""
    h = killed(folder, "processor-1", "owner:1")
    stall(h, 6, 9, (1,), acks=False)
    return h


def storeless(folder: Path) -> History:
    h = killed(folder, "database", "database")
    stall(h, 6, 9, (1,), acks=False)
    return h


def refused(folder: Path) -> History:
    """The database lives, and takes no connections."""
    h = healthy(folder, scenario(faults=[{"kind": "refuse", "target": "database", "hold_s": 6}]))
    h.fault("database", 6, 12, kind="refuse", target="database")
    for second in range(12):
        h.add("database", worker="probe", t_ns=at_ns(second), answer="refused" if 6 <= second < 9 else "ok")
    stall(h, 6, 9, (1,), acks=False)
    return h


def cut(folder: Path) -> History:
    h = healthy(folder, scenario(faults=[{"kind": "partition", "target": "broker:1", "hold_s": 6}]))
    h.fault("broker-1", 6, 12, kind="partition", target="broker:1")
    stall(h, 6, 9, (2,))
    return h


def unexplained(folder: Path, *, acks: bool = True) -> History:
    """What is dead leads, follows and owns nothing of the partition that stands still."""
    h = killed(folder, "broker-3", "broker:3")
    h["partitions"]["isr"] = [[1, 2] if p == 0 else isr for p, isr in h["partitions"][["partition", "isr"]].to_numpy()]
    stall(h, 6, 9, (0,), acks=acks)
    return h


def slow_to_begin(folder: Path) -> History:
    """The owner of the partition polled at 6.1 s what it began to store at 9 s."""
    h = unexplained(folder, acks=False)
    reads, commits = h["reads"], h["commits"]
    commits["begun_ns"] = commits["t_ns"]
    ended = commits.loc[(commits["partition"] == 0) & (commits["t_ns"] >= at_ns(9)), "to_offset"].min()
    reads.loc[(reads["partition"] == 0) & (reads["last_offset"] == ended - 1), "t_ns"] = at_ns(6.1)
    return h


CAUSES: list[tuple[Callable[[Path], History], str, str]] = [
    (led, NO_LEADER, "acks stores"),
    (leaderless, NO_LEADER, "acks stores"),
    (followed, ISR_WAITS, "acks stores"),
    (cut, ISR_WAITS, "acks stores"),
    (unowned, NO_OWNER, "stores"),
    (orphaned, NO_OWNER, "stores"),
    (storeless, STORE_AWAY, "stores"),
    (refused, STORE_AWAY, "stores"),
    (unexplained, UNKNOWN, "acks stores"),
    (slow_to_begin, IN_PROGRESS, "stores"),
]


@pytest.mark.parametrize(("make", "cause", "kinds"), CAUSES)
def test_a_stall_has_its_length_its_fault_and_its_cause(
    tmp_path: Path, make: Callable[[Path], History], cause: str, kinds: str
) -> None:
    """One partition stands still from 6 s to 9 s, when the fault begins: that is what is told, with the one cause."""
    rows = found(make(tmp_path))
    assert [(*row[:1], row[2], *row[3:]) for row in rows] == [(0, kind, 6, 9, [cause]) for kind in kinds.split()]
    assert len({row[1] for row in rows}) == 1


@pytest.mark.parametrize(("make", "cause", "kinds"), CAUSES)
def test_the_same_stall_before_the_fault_is_not_the_faults(
    tmp_path: Path, make: Callable[[Path], History], cause: str, kinds: str
) -> None:
    """One more stall from 2 s to 4 s is told as nobody's; recovery stays that of the fault's."""
    h = make(tmp_path)
    once = analysis.recovery(h.run())["recovery_s"].tolist()
    stall(h, 2, 4, (0, 1, 2), acks="acks" in kinds)
    rows = found(h)
    assert {(row[0], *row[3:5]) for row in rows} == {(-1, 2, 4), (0, 6, 9)}
    assert analysis.recovery(h.run())["recovery_s"].tolist() == pytest.approx(once, abs=0.01)


def test_recovery_is_over_when_the_last_stall_of_the_fault_is(tmp_path: Path) -> None:
    """Acks are back after 3 s, but from 13 s to 15 s, after the healing, nobody owns a partition: recovery is 9 s."""
    h = broker_loss(tmp_path)
    for second, event in ((13, "lost"), (15, "assigned")):
        h.add("group", worker="processor-1", t_ns=at_ns(second), event=event, partitions=[[1]], rebalance_no=2)
    stall(h, 13, 15, (1,), acks=False)
    (row,) = analysis.recovery(h.run()).to_dict("records")
    assert row["recovery_s"] == pytest.approx(9, abs=0.2) and not row["recovery_censored"]
    assert found(h)[-1] == (0, 1, "stores", 13, 15, [NO_OWNER])


def test_a_stall_goes_to_the_last_fault_that_began_before_it(tmp_path: Path) -> None:
    """Of two faults, one after the other, each has its own stall and its own recovery."""
    faults = [
        {"kind": "kill", "target": "broker:3", "hold_s": 2},
        {"kind": "kill", "target": "broker:3", "at_s": 5, "hold_s": 2},
    ]
    h = healthy(tmp_path, scenario(faults=faults))
    h.fault("broker-3", 6, 8)
    h.fault("broker-3", 11, 13, number=1)
    stall(h, 6, 7, (1,))
    stall(h, 11, 12.6, (1,))
    assert {row[0:1] + row[3:5] for row in found(h)} == {(0, 6, 7), (1, 11, 12.5)}
    assert analysis.recovery(h.run())["recovery_s"].tolist() == pytest.approx([1, 1.6], abs=0.1)


def test_the_causes_of_a_stall_follow_each_other(tmp_path: Path) -> None:
    """The leader is dead until 7.5 s, then another leads; the producer goes on at 8.5 s, the processor at 9.5 s."""
    h = killed(tmp_path)
    h["partitions"].loc[samples(h, 7.5, 99, 0), "leader"] = 2
    h["partitions"]["isr"] = [[2, 3]] * len(h["partitions"])
    stall(h, 6, 9.4, (0,), acks=False)
    acks = h["sends"]["t_ack_ns"]
    late = (h["sends"]["partition"] == 0) & acks.between(at_ns(6), at_ns(8.5))
    h["sends"].loc[late, "t_ack_ns"] = at_ns(8.5) + acks[late] % 1000
    assert [row[2:] for row in found(h)] == [
        ("acks", 6, 8.5, [NO_LEADER, PRODUCER]), ("stores", 6, 9.5, [NO_LEADER, PRODUCER, PROCESSOR])]  # fmt: skip


def test_with_acks_1_nothing_waits_for_the_isr_but_readers(tmp_path: Path) -> None:
    """A stall of acks while a follower is dead has no such cause with acks=1, that of stores has it."""
    h = killed(tmp_path, clients={"acks": "1"})
    stall(h, 6, 9, (2,))
    assert [(row[2], row[5]) for row in found(h)] == [("acks", [UNKNOWN]), ("stores", [ISR_WAITS])]


def test_what_the_probe_did_not_see_is_not_observed(tmp_path: Path) -> None:
    """Without a look between 6 s and 9 s the cause is "not observed", never "no cause seen"."""
    h = unexplained(tmp_path)
    h["partitions"] = h["partitions"][~samples(h, 6.1, 9)]
    assert {tuple(row[5]) for row in found(h)} == {(NOT_OBSERVED,)}


@pytest.mark.parametrize("kind", ["acks", "stores"])
def test_a_stall_that_does_not_end_is_open(tmp_path: Path, kind: str) -> None:
    """Where no ack (no commit, though the log is not drained) follows, the stall is open and recovery censored."""
    h = led(tmp_path)
    if kind == "acks":
        late = (h["sends"]["partition"] == 0) & (h["sends"]["t_ack_ns"] > at_ns(6))
        h["sends"].loc[late, ["t_ack_ns", "offset"]] = -1
        h["sends"].loc[late, "outcome"] = "unknown"
    else:
        h["commits"] = h["commits"][(h["commits"]["partition"] != 0) | (h["commits"]["t_ns"] < at_ns(6))]
        h["positions"].loc[0, "next_offset"] = 7
    run = h.run()
    frame = stalls(run)
    assert frame.loc[frame["service"] == kind, "open"].tolist() == [True]
    assert analysis.recovery(run)["recovery_censored"].tolist() == [True]
    assert "on 1 of them not again while it was watched" in str(service(Evidence(run), 0))


def test_without_a_reading_that_waits_nothing_stands_still(tmp_path: Path) -> None:
    """No reading is due for 3 s: that is a pause of the fleet, no stall."""
    h = killed(tmp_path)
    quiet = h["sends"]["t_ns"].between(at_ns(6), at_ns(9)) & (h["sends"]["partition"] == 0)
    gone = h["sends"].loc[quiet, ["sensor", "seq"]]
    h["sends"] = h["sends"][~quiet]
    first, last = (h["log"].merge(gone)["offset"].agg(how) for how in ("min", "max"))
    commits = h["commits"]
    h["commits"] = commits[(commits["partition"] != 0) | ~commits["from_offset"].between(first, last)]
    assert found(h) == []


def test_hiccups_are_told_from_a_second_on(tmp_path: Path) -> None:
    """A silence of 0.9 s without a cause is none, one of 1.2 s is; with a cause 0.6 s are enough."""
    for until_s, rows in ((6.7, 0), (7.2, 2)):
        h = unexplained(tmp_path)
        stall(h, 12.5, until_s + 6.5, (1,))
        assert len(found(h)) == 2 + rows
    h = killed(tmp_path)
    stall(h, 7, 7.6, (0,))
    assert len(found(h)) == 2


def test_a_stall_of_the_steady_state_hides_none_of_the_fault(tmp_path: Path) -> None:
    """Twice the *usual* gap is allowed, and one long gap is not usual."""
    h = led(tmp_path)
    stall(h, 1, 4, (0,))
    assert (0, 0, "acks", 6, 9, [NO_LEADER]) in found(h)


def test_the_sums_of_a_partition(tmp_path: Path) -> None:
    """Each kind is summed by itself."""
    rows = stalled(stalls(broker_loss(tmp_path).run()))
    assert rows["acks_s"].tolist() == pytest.approx([3, 3, 3], abs=0.1)
    assert rows["stores_s"].tolist() == pytest.approx([3, 3, 3], abs=0.1)


def test_one_sentence_says_what_the_fault_did(tmp_path: Path) -> None:
    """Losses, acks, stores, and why the group had no owner when acks were back: the session ran out."""
    h = broker_loss(tmp_path)
    h.made_of["consumer"] = {"session.timeout.ms": "6000"}
    intended = h["faults"]["step"] == "intended"
    h["faults"].loc[intended, "evidence"] = "running; leads p0; coordinates the group"
    for second, event in ((12.5, "lost"), (14.5, "assigned")):
        h.add("group", worker="processor-1", t_ns=at_ns(second), event=event, partitions=[[1]], rebalance_no=2)
    stall(h, 12.5, 14.5, (1,), acks=False)
    assert str(service(Evidence(h.run()), 0)).startswith(
        "nothing lost; nothing acknowledged for 3.0 s on 3 of 3 partitions; nothing stored for 3.1–5.2 s on 3 of 3 "
        "partitions; the group had no owner for 2.1 s more "
        "because the session of 6 s ran out while the coordinator was away"
    )


def test_an_owner_that_is_away_is_named(tmp_path: Path) -> None:
    """A killed owner is why there is none, not a session."""
    text = str(service(Evidence(consumer_loss(tmp_path).run()), 3))
    assert text.startswith("3 lost; acknowledged without a stall; nothing stored for 5.1 s on 1 of 3 partitions")
    assert "because processor-1 was away" in text


def test_times_of_service_know_where_a_partition_without_a_log_is(tmp_path: Path) -> None:
    """Where the final read is missing, acks say which partition a sensor's readings go to, and nothing is drained."""
    h = healthy(tmp_path)
    for table in ("log", "frozen", "positions"):
        h[table] = h[table].head(0)
    times = ServiceTimes(h.run())
    assert set(times.last_try) == {0, 1, 2} and not any(times.drained.values())
