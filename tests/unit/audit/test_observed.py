"""What the probe did not see: found in every table of samples, and never told as "none"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from factorylab.analysis.recovery import recovery
from factorylab.audit.checks.observed import probe_saw
from factorylab.audit.model.registry import Evidence
from factorylab.audit.model.verdict import NOT_OBSERVED, numbers, panel
from factorylab.report import summary_tables
from tests.support.histories import History, at_ns, broker_loss, consumer_loss, healthy, network_partition, scenario
from tests.support.spoils import Spoil, invalid

Made = Callable[[Path], History]


def gone(table: str, from_s: float, until_s: float, **where: object) -> Spoil:
    """The samples of this time, or some of them, are missing."""

    def spoil(h: History) -> None:
        rows = h[table]
        hit = rows["t_ns"].between(at_ns(from_s), at_ns(until_s))
        for column, value in where.items():
            hit &= rows[column] == value
        h[table] = rows[~hit]

    return spoil


def unheard(from_s: float, until_s: float, *partitions: int) -> Spoil:
    """No broker told of these partitions, though the samples are there."""

    def spoil(h: History) -> None:
        rows = h["partitions"]
        hit = rows["t_ns"].between(at_ns(from_s), at_ns(until_s)) & rows["partition"].isin(partitions)
        rows.loc[hit, ["leader", "epoch", "end"]], rows.loc[hit, "valid"] = -1, False
        rows["isr"] = rows["isr"].where(~hit, pd.Series([[]] * len(rows), index=rows.index))

    return spoil


def frozen(node: str, from_s: float) -> Spoil:
    """From this moment on the samples of a node repeat the one before."""

    def spoil(h: History) -> None:
        rows = h["processes"]
        hit = (rows["name"] == node) & (rows["t_ns"] > at_ns(from_s))
        rows.loc[hit, "cpu_s"] = rows.loc[hit, "cpu_s"].min()

    return spoil


def seen(history: History) -> list[str]:
    return [witness.note for witness in probe_saw(Evidence(history.run())).witnesses]


BLIND: dict[str, tuple[Made, Spoil, str]] = {
    "leaders": (broker_loss, unheard(7, 10, 1), "the leader of partition 1"),
    "all leaders": (broker_loss, unheard(7, 10, 0, 1, 2), "the leader of partition 0"),
    "ends of a living leader": (broker_loss, invalid("partitions", 7, 13, 1), "the end of partition 1"),
    "partitions": (healthy, gone("partitions", 2, 5), "the leader of partition 0"),
    "one partition": (healthy, gone("partitions", 2, 5, partition=2), "the leader of partition 2"),
    "lag": (healthy, gone("lag", 2, 5, partition=1), "the lag of partition 1"),
    "lag, not valid": (healthy, invalid("lag", 2, 5), "the lag of partition 0"),
    "all lag": (healthy, invalid("lag", -9, 99), "the lag of partition 0"),
    "members": (healthy, gone("members", 2, 5), "the group's members"),
    "no members at all": (consumer_loss, gone("members", -9, 99), "the group's members"),
    "a process": (healthy, gone("processes", 2, 5, name="processor-1"), "processor-1"),
    "a fleet": (healthy, gone("processes", -9, 99, name="fleet-0"), "fleet-0"),
    "a frozen broker's samples": (healthy, frozen("broker-2", 1), "broker-2's CPU time"),
    "a frozen probe's samples": (broker_loss, frozen("probe", 7), "probe's CPU time"),
    "links": (network_partition, gone("reach", 7, 13), "links"),
    "a broker's views": (network_partition, gone("views", 7, 10, broker=2), "what broker-2 says"),
}


@pytest.mark.parametrize("name", BLIND)
def test_a_table_without_looks_is_found(tmp_path: Path, name: str) -> None:
    """Samples that are deleted, not valid, empty or repeated for longer than the probe promises make the run INVALID,
    by the name of what was not seen; without that, the same history is whole."""
    make, spoil, what = BLIND[name]
    history = make(tmp_path)
    assert seen(history) == []
    spoil(history)
    assert any(word.startswith(f"{what} was not observed from") for word in seen(history)), seen(history)


def silent(*processors: str) -> Spoil:
    """These did not poll for three seconds, with a limit of one; nobody saw a member meanwhile."""

    def spoil(h: History) -> None:
        h.made_of["consumer"] = {"max.poll.interval.ms": "1000"}
        for name in processors:
            gone("reads", 1, 6, worker=name)(h)
        gone("members", 2, 6)(h)

    return spoil


def test_members_are_excused_only_while_all_were_put_out(tmp_path: Path) -> None:
    """Who does not poll for longer than `max.poll.interval.ms` is out of the group; one that polls is in it."""
    for processors in (("processor-0", "processor-1"), ("processor-0",)):
        history = healthy(tmp_path / str(len(processors)))
        silent(*processors)(history)
        assert [word.split(" was")[0] for word in seen(history)] == ["the group's members"] * (len(processors) == 1)


EXCUSED: dict[str, tuple[Made, Spoil]] = {
    "the end of a dead leader's partition": (broker_loss, invalid("partitions", 6, 9, 0)),
    "what the group committed, while its coordinator is away": (broker_loss, invalid("lag", 6.1, 14)),
    "the members, while the coordinator is away": (broker_loss, gone("members", 6.1, 14)),
    "the members, while the group forms": (healthy, gone("members", -9, -0.1)),
    "what a broker that is cut off says": (network_partition, gone("views", 6, 13, broker=1)),
    "leaders, for less than the limit": (healthy, unheard(3, 4.5, 0, 1, 2)),
}


@pytest.mark.parametrize("name", EXCUSED)
def test_what_nobody_could_tell_is_excused(tmp_path: Path, name: str) -> None:
    """A node under a fault gives no answer, and a group has no coordinator for a while after one."""
    make, spoil = EXCUSED[name]
    history = make(tmp_path)
    spoil(history)
    assert seen(history) == []


def test_leaders_are_excused_only_while_all_brokers_are_hit(tmp_path: Path) -> None:
    """With three of three brokers under a fault nobody can tell of a leader; with two of them the third can."""
    one = {"kind": "pause", "hold_s": 6}
    faults = [{**one, "target": f"broker:{number}"} for number in (1, 2, 3)]
    for count in (3, 2):
        history = healthy(tmp_path / str(count), scenario(faults=faults[:count]))
        for number in range(count):
            history.fault(f"broker-{number + 1}", 6, 12, kind="pause", number=number)
        unheard(6.1, 11.9, 0, 1, 2)(history)
        assert bool(seen(history)) == (count == 2)


def test_what_was_not_observed_is_not_none(tmp_path: Path) -> None:
    """Detection and exposure of a run whose leaders, catch-up of one whose lag nobody saw say so in text and tables;
    a run without a fault says that there was none."""
    calm, history = healthy(tmp_path / "calm"), broker_loss(tmp_path)
    assert calm.run().verdict.exposure is not None and history.run().verdict.recovery[0].detection is not None
    for spoiled in (calm, history):
        unheard(7, 10, 0, 1, 2)(spoiled)
    nothing = calm.run().verdict
    assert nothing.exposure is None and f"exposure: {NOT_OBSERVED}" in panel(nothing)
    gone("lag", 6, 99)(history)
    verdict = history.run().verdict
    text = panel(verdict)
    assert (verdict.recovery[0].detection, verdict.recovery[0].catch_up) == (None, None)
    assert f"detected: {NOT_OBSERVED}" in text and f"caught up: {NOT_OBSERVED}" in text
    row = summary_tables.recovery(history.run()).data.iloc[0]
    assert (row["detected"], row["caught up"]) == (NOT_OBSERVED, NOT_OBSERVED) and row["recovered"].endswith(" s")
    assert summary_tables.recovery(calm.run()).data.index.tolist() == ["none was injected"]
    assert f"{NOT_OBSERVED} for 3.2 s" in " ".join(text.split()), "it may have been worse then"


def test_a_lag_that_may_have_left_its_band_unseen_is_not_0(tmp_path: Path) -> None:
    """Catch-up is 0 only where every look found the lag in its band; a hole in which it may have left it is no look."""
    history = broker_loss(tmp_path)
    gone("lag", 6.1, 10.5)(history)
    assert recovery(history.run())["catch_up_s"].isna().all()


def test_the_longest_ack_gap_is_shown_without_a_fault(tmp_path: Path) -> None:
    """Page one has the longest gap between two acknowledgements of a run without a fault, too."""
    assert numbers(healthy(tmp_path).run().verdict)["longest ack gap"] == "0.0 s"
