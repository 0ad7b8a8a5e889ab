"""Blind time and alert latency, against histories in which they are known.

In a healthy history each of six machines has a reading every 60 ms, and the longest wait is 120 ms.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factorylab.analysis import alert_latency, blind_over_time, blind_time, waits
from factorylab.analysis.periods import ALLOWED_S
from factorylab.audit.alert_findings import alerting
from factorylab.audit.model.findings import Blind
from factorylab.audit.model.registry import Evidence
from factorylab.audit.model.verdict import panel
from factorylab.core.measures import P99_NEEDS
from factorylab.history.saved_run import Run
from factorylab.report import summary_tables
from factorylab.scenarios.catalog import baseline
from tests.support.histories import START, History, S, at_ns, consumer_loss, healthy, scenario, stall

INTERVAL_S = 0.06
SLACK = 2 * INTERVAL_S + 0.1  # a reading at each end, and a batch


def machines(run: Run) -> pd.DataFrame:
    return blind_time(run).set_index("sensor")


def told(run: Run) -> Blind:
    return alerting(Evidence(run)).blind


def outage(folder: Path, held_s: float, until_s: float) -> History:
    """Nothing is stored from 6 s to `until_s`; a fault is held for `held_s` and healed 0.1 s later.

    All is caught up a second after `until_s`: of an outage of L s what was due x s after its beginning waits
    L − xL / (L + 1).
    """
    made = scenario(faults=[{"kind": "pause", "target": "database", "hold_s": held_s}])
    h = healthy(folder, made)
    h.fault("database", 6, 6 + held_s, kind="pause", target="database")
    stall(h, 6, until_s, (0, 1, 2), acks=False)
    return h


def lose(h: History, sensor: int, from_s: float, until_s: float) -> int:
    """The store has no row of a machine's readings of this time; gives how many."""
    sends = h["sends"]
    gone = sends.loc[(sends["sensor"] == sensor) & sends["t_ns"].between(at_ns(from_s), at_ns(until_s)), "seq"]
    rows = h["rows"]
    h["rows"] = rows[~((rows["sensor"] == sensor) & rows["seq"].isin(gone))].reset_index(drop=True)
    return len(gone)


def test_the_default_allowance_is_what_the_baseline_promises() -> None:
    """Late is what misses the promise that every baseline run is checked for."""
    assert baseline().objectives.latency_p99_s == ALLOWED_S


def test_a_healthy_run_is_never_blind(tmp_path: Path) -> None:
    """Without a fault no machine is blind, all is of one period, and the reading interval is stated."""
    run = healthy(tmp_path).run()
    found = told(run)
    assert (found.machines, found.hit, found.blind_s, found.never) == (6, 0, 0.0, 0)
    assert found.interval_s == pytest.approx(INTERVAL_S) and "none of 6 machines" in str(found)
    assert set(alert_latency(run)["period"]) == {"no fault"}


def test_the_warm_up_does_not_count(tmp_path: Path) -> None:
    """A system that was slow before its steady state began is not blind in it."""
    h = healthy(tmp_path)
    stall(h, -1.9, -0.4, (0, 1, 2), acks=False)
    run = h.run()
    assert waits(run).late(slice(None)).any() and told(run).hit == 0
    assert machines(run)["longest_wait_s"].max() < ALLOWED_S


def test_an_outage_blinds_all_but_the_allowance_of_it(tmp_path: Path) -> None:
    """After 6 s without a store the readings of the first 7 · 5 / 6 s have waited longer than 1 s."""
    table = machines(outage(tmp_path, 6, 12).run())
    assert table["during_s"].to_numpy() == pytest.approx(np.full(6, 35 / 6), abs=SLACK)
    assert table["longest_wait_s"].to_numpy() == pytest.approx(np.full(6, 6.0), abs=SLACK)
    assert (table["before_s"] == 0).all() and (table["blind_s"] == table["during_s"] + table["after_s"]).all()


def test_an_outage_within_the_allowance_blinds_nobody(tmp_path: Path) -> None:
    """A store that is away for 0.8 s delays readings, and none of them by more than 1 s."""
    run = outage(tmp_path, 0.8, 6.8).run()
    assert machines(run)["longest_wait_s"].max() > 0.75 and told(run).hit == 0


@pytest.mark.parametrize(("objective", "hit"), [(0.1, 6), (0.13, 0)])
def test_a_declared_latency_is_the_allowance(tmp_path: Path, objective: float, hit: int) -> None:
    """Where the scenario promises a latency, later than that is late, in a healthy run too."""
    run = healthy(tmp_path, scenario(objectives={"latency_p99_s": objective})).run()
    assert (told(run).hit, told(run).allowed_s) == (hit, objective)
    assert told(run).before_s == 0, "without a fault there is no time before it"


def test_what_goes_on_after_the_healing_belongs_to_the_fault(tmp_path: Path) -> None:
    """A fault that is healed at 8 s while nothing is stored until 12 s: readings sent after 8 s are blind as well."""
    found = machines(outage(tmp_path, 2, 12).run())
    assert found["during_s"].to_numpy() == pytest.approx(np.full(6, 2.1), abs=SLACK)
    assert found["after_s"].to_numpy() == pytest.approx(np.full(6, 35 / 6 - 2.1), abs=SLACK)


def test_only_machines_of_the_affected_partition_are_blind(tmp_path: Path) -> None:
    """A dead processor blinds the machines of its partition, and no other; one of them is named."""
    run = consumer_loss(tmp_path).run()
    assert (machines(run)["blind_s"] > 0).to_numpy().nonzero()[0].tolist() == [1, 4]
    assert told(run).sensor in {"temperature-00001", "temperature-00004"} and told(run).hit == 2


def test_a_reading_that_is_never_stored_blinds_its_whole_interval(tmp_path: Path) -> None:
    """So many lost readings of one machine are as many intervals to the next one, however quick all others were."""
    h = healthy(tmp_path)
    count = lose(h, 2, 3, 3.6)
    table = machines(h.run())
    assert count >= 10 and table["never"].tolist() == [0, 0, count, 0, 0, 0]
    assert table["blind_s"].tolist() == pytest.approx([0, 0, count * INTERVAL_S, 0, 0, 0], abs=1e-6)
    assert np.isinf(table.loc[2, "longest_wait_s"])


def test_a_shed_reading_is_blind(tmp_path: Path) -> None:
    """A reading that the producer refused raised no alert and never will."""
    h = healthy(tmp_path)
    first = h["sends"][(h["sends"]["sensor"] == 0) & (h["sends"]["t_ns"] > at_ns(3))].index[0]
    h["sends"].loc[first, ["outcome", "t_ack_ns", "partition", "offset"]] = ["shed", -1, -1, -1]
    seq = h["sends"].loc[first, "seq"]
    for name in ("log", "rows"):
        h[name] = h[name][~((h[name]["sensor"] == 0) & (h[name]["seq"] == seq))].reset_index(drop=True)
    assert machines(h.run())["blind_s"].tolist() == pytest.approx([INTERVAL_S, 0, 0, 0, 0, 0], abs=1e-6)


def test_a_silent_sensor_is_not_the_systems_blindness(tmp_path: Path) -> None:
    """Numbers that a sensor left out itself are nobody's delay: a lost reading before the gap counts one interval."""
    h = healthy(tmp_path)
    sends = h["sends"]
    silent = (sends["sensor"] == 0) & sends["t_ns"].between(at_ns(4), at_ns(6))
    left_out = sends.loc[silent, "seq"]
    before = float((sends.loc[silent, "t_ns"].min() - at_ns(0)) / S) - INTERVAL_S
    h["sends"] = sends[~silent].reset_index(drop=True)
    for name in ("log", "rows"):
        h[name] = h[name][~((h[name]["sensor"] == 0) & h[name]["seq"].isin(left_out))].reset_index(drop=True)
    assert machines(h.run())["blind_s"].max() == 0
    assert lose(h, 0, before - 0.001, before + 0.001) == 1
    assert machines(h.run())["blind_s"].max() == pytest.approx(INTERVAL_S, abs=1e-6)


def test_a_commit_that_nobody_noted_counts_with_the_next_one(tmp_path: Path) -> None:
    """A processor that was killed before it could note its commit does not leave readings that were never stored."""
    h = healthy(tmp_path)
    of_0 = h["commits"][(h["commits"]["partition"] == 0) & (h["commits"]["t_ns"] > at_ns(3))].index
    h["commits"] = h["commits"].drop(index=of_0[0])
    table = machines(h.run())
    assert table.loc[0, "longest_wait_s"] == pytest.approx(0.22, abs=0.03) and table["never"].sum() == 0


def alarm(h: History, *at_s: float, sink: str = "table") -> None:
    """An alert of the first reading of sensor 0 from each moment on."""
    mine = h["sends"][h["sends"]["sensor"] == 0]
    for second in at_s:
        seq = int(mine.loc[mine["t_ns"] >= at_ns(second), "seq"].iloc[0])
        h.add("alerts", sink=sink, rule="r", severity="warning", alert_id=f"a-{seq}", sensor=0, seq=seq)


def test_alerts_are_late_by_period(tmp_path: Path) -> None:
    """Alerts of readings that were on their way during the fault wait for its end, those before and after do not."""
    h = outage(tmp_path, 6, 12)
    alarm(h, 3, 7, 14)
    found = alert_latency(h.run())
    raised = found[found["of"] == "alerts"].set_index("period")
    assert raised["n"].to_dict() == {"before": 1, "during": 1, "after": 1}
    assert raised.loc["during", "max_s"] == pytest.approx(6 - 6 / 7, abs=SLACK)
    assert raised.loc[["before", "after"], "max_s"].max() < 0.13 and raised["p99_s"].isna().all()


def test_only_stored_alerts_have_a_latency(tmp_path: Path) -> None:
    """Alerts that are in the topic alone, or that a replay of the log raises, were not stored and do not count."""
    h = healthy(tmp_path)
    alarm(h, 3, sink="topic")
    alarm(h, 4, sink="replay")
    assert alert_latency(h.run()).set_index("of").loc["alerts", "n"] == 0


def test_what_the_fault_caught_on_its_way_is_not_before_it(tmp_path: Path) -> None:
    """Readings sent just before the injection and stored after it do not spoil the steady state's latency."""
    found = alert_latency(outage(tmp_path, 6, 12).run()).set_index(["period", "of"])
    assert found.loc[("before", "readings"), "max_s"] < 0.13
    assert found.loc[("during", "readings"), "max_s"] > 5.5


def test_a_percentile_needs_enough_values(tmp_path: Path) -> None:
    """The 99th percentile of 99 alerts is not given, that of 100 is; the longest and n stand in both."""
    for n in (P99_NEEDS - 1, P99_NEEDS):
        h = healthy(tmp_path / str(n))
        alarm(h, *(1 + INTERVAL_S * np.arange(n)))
        run = h.run()
        row = summary_tables.alerting(run).iloc[0]
        assert row["n"] == str(n) and (row["p99"] == "n is too small") == (n < P99_NEEDS) and row["longest"] == "0.12 s"
        assert ("longest" in panel(run.verdict).split("alert latency")[1].splitlines()[0]) == (n < P99_NEEDS)


def test_the_share_that_is_never_stored_shows_in_the_percentiles(tmp_path: Path) -> None:
    """Readings that are not stored are the slowest of all, not left out: above 1 % of them the p99 is 'never'."""
    h = healthy(tmp_path)
    count = lose(h, 2, 3, 4.5)
    row = alert_latency(h.run()).set_index("of").loc["readings"]
    assert row["never"] == count > 10 and np.isinf(row["p99_s"]) and row["p50_s"] < 0.13
    table = summary_tables.alerting(h.run()).reset_index(drop=True)
    assert table.loc[1, ["p99", "longest"]].tolist() == ["never", "never"]


def test_the_verdict_names_the_worst_machine(tmp_path: Path) -> None:
    """One sentence: the machine that was blind for longest, for how long, of how many, and what late means."""
    h = outage(tmp_path, 6, 12)
    lose(h, 4, 12.5, 13.5)
    text = " ".join(panel(h.run().verdict).partition("blind since the first fault: ")[2].split())
    assert "(temperature-00004, line-1)" in text and "6 of 6 machines" in text and "late after 1 s" in text
    assert "every 0.06 s" in text and "readings never stored" in text


def test_the_number_of_blind_machines_follows_the_outage(tmp_path: Path) -> None:
    """None before the outage, all in it, none a moment after its last late reading."""
    run = outage(tmp_path, 6, 12).run()
    frame = blind_over_time(waits(run))
    step = np.searchsorted(frame["t_s"], [5.5, 8, 12.5], side="right") - 1
    lines = frame.drop(columns="t_s")
    assert lines.to_numpy()[step].tolist() == [[0] * 4, [2, 2, 1, 1], [0] * 4]


def test_hundreds_of_thousands_of_readings_take_a_moment(tmp_path: Path) -> None:
    """Waits, blind times and latencies are made by whole arrays: below 1 s of CPU time for 200,000 readings."""
    run = healthy(tmp_path, scenario(workload={"rate_per_s": 17_000, "sensors": 1_000})).run()
    began = time.process_time()
    found = waits(run)
    assert len(found.t_ns) > 200_000 and int(found.t_ns.min()) < START
    assert len(blind_time(run, found)) == 1_000 and len(alert_latency(run, found)) == 2
    assert time.process_time() - began < 1
