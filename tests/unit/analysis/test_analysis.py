"""Timelines and durations of handmade histories whose answers are known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factorylab import analysis
from factorylab.analysis.rates import slope_per_s
from factorylab.analysis.service import longest_gap
from factorylab.audit.model.verdict import one_line, panel
from factorylab.audit.model.verdict_frames import compare
from factorylab.history.saved_run import Run
from factorylab.report import summary_tables
from tests.support.histories import (
    S,
    at_ns,
    broker_loss,
    consumer_loss,
    forget_acked,
    healthy,
    network_partition,
    scenario,
)
from tests.support.spoils import check_of


@pytest.fixture
def broker(tmp_path: Path) -> Run:
    return broker_loss(tmp_path).run()


@pytest.fixture
def consumer(tmp_path: Path) -> Run:
    return consumer_loss(tmp_path).run()


def test_throughput_counts_every_reading_once(broker: Run) -> None:
    """Over all bins, offered, acked and stored each sum up to the readings of the run."""
    frame = analysis.throughput(broker)
    assert frame[["offered_per_s", "acked_per_s", "stored_per_s"]].sum().tolist() == [1800, 1800, 1800]


def test_an_outage_shows_in_acked_and_stored_but_not_in_offered(broker: Run) -> None:
    """While nobody is acked, from 6 s to 9 s, sensors go on offering 100 a second."""
    frame = analysis.throughput(broker).set_index("t_s").loc[6:8]
    assert frame["offered_per_s"].tolist() == [100, 100, 100]
    assert frame[["acked_per_s", "stored_per_s"]].loc[7:8].to_numpy().sum() == 0


def test_invalid_lag_samples_are_dropped(tmp_path: Path) -> None:
    """A sample that the probe marked as not valid is in no lag, and its moment in no total."""
    history = healthy(tmp_path)
    before = len(analysis.total_lag(history.run()))
    history["lag"].loc[0, "valid"] = False
    run = history.run()
    assert len(analysis.lag(run)) == len(history["lag"]) - 1 and len(analysis.total_lag(run)) == before - 1


def test_the_lag_slope_ignores_the_saw_tooth_of_commits() -> None:
    """A saw-tooth of 1 s has no slope; one that climbs by 50 records a second has that."""
    t_s = np.arange(0, 9, 0.2)
    saw = (t_s % 1) * 1000
    assert abs(slope_per_s(pd.DataFrame({"t_s": t_s, "lag_records": saw}), 0, 9)) < 20
    assert slope_per_s(pd.DataFrame({"t_s": t_s, "lag_records": 50 * t_s}), 0, 9) == pytest.approx(50)
    assert np.isnan(slope_per_s(pd.DataFrame({"t_s": t_s[:3], "lag_records": saw[:3]}), 0, 9))


def test_leadership_moves_and_returns(broker: Run) -> None:
    """Partition 0 is led by broker 1, then 2, then 1 again; the intervals leave no hole."""
    spans = analysis.leadership(broker)
    mine = spans[spans["partition"] == 0]
    assert mine["leader"].tolist() == [1, 2, 1]
    assert mine["start_s"].tolist()[1:] == mine["end_s"].tolist()[:-1]
    assert spans.groupby("partition").size().tolist() == [3, 1, 1]


def test_partitions_that_the_victim_only_followed_are_under_replicated_too(broker: Run) -> None:
    """Broker 1 holds a replica of partitions 0 and 2: both lack one until it is back."""
    assert analysis.under_replicated(broker)["partition"].tolist() == [0, 2]
    assert set(analysis.under_replicated(broker)["in_sync"]) == {"2", "3"}


def test_a_killed_owner_ends_at_the_kill(consumer: Run) -> None:
    """The interval of a SIGKILLed member closes at the injection; between it and the move nobody owns the partition."""
    spans = analysis.assignments(consumer)
    mine = spans[spans["partition"] == 1]
    assert mine["worker"].tolist() == ["processor-1", "processor-0", "processor-1"]
    assert mine["ended_by"].tolist() == ["killed", "revoked", "end"]
    assert mine["end_s"].iloc[0] == 6 and mine["start_s"].iloc[1] == pytest.approx(11.01)


def test_callbacks_close_together_are_one_rebalance(consumer: Run) -> None:
    """The first assignment, and then one rebalance of the loss and the return 2 s later."""
    assert analysis.rebalances(consumer)["callbacks"].tolist() == [3, 5]


def test_the_longest_gap_spans_the_outage(broker: Run) -> None:
    """Every partition, led by the victim or not, has a gap of about the 3 s without acks."""
    gaps = analysis.ack_gaps(broker)
    assert gaps["gap_s"].between(2.9, 3.1).all() and not gaps["censored"].any() and (gaps["steady_s"] < 0.1).all()


@pytest.mark.parametrize(
    ("moments", "wanted_until", "gap"),
    [
        ([10, 20, 60, 70], 70, (20, 60, False)),  # the widest pair
        ([10, 20], 100, (20, 100, True)),  # silence up to the end of what was wanted
        ([10, 20], 20, (10, 20, False)),  # nothing was wanted any more
        ([], 100, (5, 100, True)),  # no service at all
        ([90], 100, (5, 90, False)),  # the first service came late
    ],
)
def test_gaps_at_the_edges(moments: list[int], wanted_until: int, gap: tuple[int, int, bool]) -> None:
    """The longest gap is right in the middle, at the beginning, at the end, and without any service."""
    found = longest_gap(np.array(moments, dtype=np.int64), 5, 100, wanted_until)
    assert (found.start_ns, found.end_ns, found.censored) == gap


def test_recovery_of_a_broker_loss(broker: Run) -> None:
    """Detected and recovered 3 s after the kill, caught up another second later."""
    row = analysis.recovery(broker).iloc[0]
    assert row["detection_s"] == pytest.approx(3, abs=0.2) and row["recovery_s"] == pytest.approx(3, abs=0.1)
    assert row["catch_up_s"] == pytest.approx(4, abs=0.3) and row["held_s"] == pytest.approx(6.1)
    assert not row[["detection_censored", "recovery_censored", "catch_up_censored"]].any()


def test_a_consumer_loss_does_not_touch_the_acks(consumer: Run) -> None:
    """The producers notice nothing; recovery is that of the store, 5 s."""
    assert (analysis.ack_gaps(consumer)["gap_s"] < 0.1).all()
    assert analysis.recovery(consumer).iloc[0]["recovery_s"] == pytest.approx(5, abs=0.1)


def test_what_never_recovers_is_censored(tmp_path: Path) -> None:
    """Where no ack follows the fault, recovery is "more than what was watched", and an objective has no answer."""
    history = broker_loss(tmp_path, objectives={"recovery_s": 60})
    late = history["sends"]["t_ack_ns"] > at_ns(6)
    history["sends"].loc[late, ["t_ack_ns", "partition", "offset"]] = -1
    history["sends"].loc[late, "outcome"] = "unknown"
    run = history.run()
    row = analysis.recovery(run).iloc[0]
    assert bool(row["recovery_censored"]) and row["recovery_s"] == pytest.approx(10, abs=0.1)
    assert check_of(run, "recovery_s").verdict == "INVALID"
    assert "recovery > 10.0 s" in one_line(run.verdict)


def test_latency_runs_from_the_intended_send_to_the_commit(tmp_path: Path) -> None:
    """A late send does not shorten the latency: it counts from when the reading was due."""
    history = healthy(tmp_path)
    usual = analysis.latencies(history.run())["latency_s"].max()
    history["sends"]["t_ns"] += S // 2
    assert analysis.latencies(history.run())["latency_s"].max() == usual
    history["sends"]["t_intended_ns"] -= S // 2
    assert analysis.latencies(history.run())["latency_s"].max() == pytest.approx(usual + 0.5)


def test_latency_counts_readings_whose_ack_never_came(tmp_path: Path) -> None:
    """An unanswered reading that was stored is in the latency figures."""
    history = healthy(tmp_path)
    n = len(analysis.latencies(history.run()))
    history["sends"].loc[600:, ["t_ack_ns", "partition", "offset"]] = -1
    history["sends"].loc[600:, "outcome"] = "unknown"
    assert len(analysis.latencies(history.run())) == n == 1000


def test_latency_by_hand(tmp_path: Path) -> None:
    """Three readings, one commit each: the latencies are the differences."""
    history = healthy(tmp_path)
    keep = history["log"].groupby("partition").head(250).groupby("partition").tail(1)
    frame = analysis.latencies(history.run())
    sends = history["sends"].merge(keep[["sensor", "seq"]], on=["sensor", "seq"])
    for send in sends.itertuples():
        commits = history["commits"]
        mine = commits[(commits["partition"] == send.partition) & (commits["from_offset"] <= send.offset)]
        expected = (mine[mine["to_offset"] > send.offset]["t_ns"].item() - send.t_intended_ns) / S
        at = (send.t_intended_ns - at_ns(0)) / S
        assert frame.loc[np.isclose(frame["t_s"], at), "latency_s"].tolist() == pytest.approx([expected])


def test_steps_show_where_the_store_no_longer_keeps_up(tmp_path: Path) -> None:
    """A step of which a third is stored late does not keep up, though no lag shows it; the one before does."""
    made = scenario(workload={"rate_per_s": 100, "sensors": 6, "steps_per_s": [100, 110], "step_s": 6})
    history = healthy(tmp_path, made)
    history.add("stages", worker="fleet-0", t_ns=at_ns(12), rate_per_s=110.0)
    history["commits"]["t_ns"] += (history["commits"]["t_ns"] - at_ns(12)).clip(lower=0) // 2
    table = analysis.steps(history.run())
    assert table["keeps_up"].tolist() == [True, False] and table["rate_per_s"].tolist() == [100, 110]
    assert (table["achieved_per_s"] / table["offered_per_s"]).tolist() == pytest.approx([1, 0.69], abs=0.02)


def test_two_runs_side_by_side(broker: Run, consumer: Run) -> None:
    """A comparison has the numbers of both runs and says that each is one run."""
    frame = compare(broker.verdict, consumer.verdict)
    assert all("(n=1)" in name for name in frame.columns) and frame.loc["recovery"].tolist() == ["3.0 s", "5.0 s"]


def test_the_panel_fits_on_a_screen(broker: Run) -> None:
    """Verdict, recovery and numbers of a run take at most 24 lines of text."""
    text = panel(broker.verdict)
    assert text.count("\n") < 24 and "kill broker-1 (leader:0)" in text and "offered − stored 0" in text


def test_an_isolated_leader_believes_in_itself(tmp_path: Path) -> None:
    """Broker 1 names itself until 12.4 s, the others name broker 2 from 9 s on, of a later epoch."""
    told = analysis.views(network_partition(tmp_path).run(), 0)
    mine = told[told["broker"] == 1]
    assert mine["leader"].tolist() == [1, 2, 2] and mine["in_sync"].tolist() == ["1 2 3", "2 3", "1 2 3"]
    assert mine["end_s"].iloc[0] == pytest.approx(12.5, abs=0.11)
    assert told.loc[told["broker"] == 3, "epoch"].tolist() == [0, 1, 1]


def test_a_silent_broker_leaves_a_gap(tmp_path: Path) -> None:
    """Where a broker gave no answer for two seconds its interval ends with the last answer before."""
    history = network_partition(tmp_path)
    rows = history["views"]
    history["views"] = rows[~((rows["broker"] == 3) & rows["t_ns"].between(at_ns(3), at_ns(5)))]
    told = analysis.views(history.run(), 0).query("broker == 3")
    assert told["leader"].tolist() == [1, 1, 2, 2] and told["start_s"].iloc[1] - told["end_s"].iloc[0] > 2


@pytest.mark.parametrize(
    ("target", "node", "partition"),
    [
        ("leader:0", "broker-1", 0),
        ("owner:1", "processor-1", 1),
        ("broker:3", "broker-3", 2),
        ("controller", "x", 0),
        ("leader:1-controller", "broker-1", 1),
        ("follower:2-leader", "broker-1", 2),
    ],
)
def test_the_partition_that_a_fault_is_about(tmp_path: Path, target: str, node: str, partition: int) -> None:
    """A role names its partition; of a broker it is the first that it led, of one that led nothing the first."""
    assert analysis.watched_partition(network_partition(tmp_path, target, node).run()) == partition


def test_who_saw_what(tmp_path: Path) -> None:
    """Offered, acked, lost and stored of each partition while the cut was held, and what each broker said then."""
    history = network_partition(tmp_path, clients={"acks": "1"})
    lost = forget_acked(history, 6, 9)
    table = summary_tables.views_at(history.run())
    assert table["lost"].tolist() == [lost, 0, 0] and table["acked"].equals(table["offered"])
    assert table["offered"].tolist() == pytest.approx([203, 203, 203], abs=2)
    assert table.loc[0, "broker 1 says"] == "leader 1 (epoch 0), in sync 1 2 3"
    assert table.loc[0, "broker 2 says"] == "leader 2 (epoch 1), in sync 2 3"


def test_acks_are_split_by_what_became_of_them(tmp_path: Path) -> None:
    """Kept and lost acknowledgements add up to those of the partition, the lost ones come in their own time."""
    history = network_partition(tmp_path, clients={"acks": "1"})
    lost = forget_acked(history, 12.5, 15)
    frame = analysis.acks_kept_and_lost(history.run(), 0)
    assert frame["lost_per_s"].sum() / 2 == lost and frame["kept_per_s"].sum() / 2 == 600 - lost
    assert frame.loc[frame["lost_per_s"] > 0, "t_s"].tolist() == [12.5, 13, 13.5, 14, 14.5]
