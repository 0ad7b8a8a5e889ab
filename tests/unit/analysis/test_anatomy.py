"""The anatomy of stalls whose phases are known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from factorylab import analysis
from factorylab.analysis.anatomy import NO_STALL
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import Run
from tests.support import control_lines as line
from tests.support.histories import History, at_ns, broker_loss, consumer_loss, healthy, scenario, stall

CONTROLLER = "running; leads p0; follows p2; is the active controller"


def logs(h: History, **of_node: list[str]) -> History:
    h.made_of |= {"topics": {"sensor-data": line.TOPIC}, "group": line.GROUP}
    h.made_of |= {"broker_config": {"broker.session.timeout.ms": "9000"}}
    h.logs = {node.replace("_", "-"): lines for node, lines in of_node.items()}
    return h


def lost(folder: Path, **changes: Any) -> History:
    """Broker 1 dies at 6 s, is fenced at 8.9 s, and broker 2 leads from 8.95 s on; acks are back at 9 s."""
    h = broker_loss(folder, **changes)
    return logs(
        h,
        broker_2=[line.fenced(8.9, 1), line.leads(8.95, 2, 0, 1, "2")],
        broker_3=[line.goes_on(8.94, 3, 2, 0, "3")],
    )


def phases(run: Run, partition: int = 0, service: str = "acks") -> list[str]:
    found = analysis.anatomy(run)
    return found.loc[(found["partition"] == partition) & (found["service"] == service), "phase"].tolist()


def row(run: Run, phase: str, partition: int = 0, service: str = "acks") -> Any:
    found = analysis.anatomy(run)
    mine = found[(found["partition"] == partition) & (found["service"] == service) & (found["phase"] == phase)]
    return mine.iloc[0]


def test_a_lost_leader_is_told_phase_by_phase(tmp_path: Path) -> None:
    """Silence, fencing by the controller's line, election by the new leader's, discovery; a follower's ISR shrinks."""
    run = lost(tmp_path).run()
    assert phases(run) == ["fencing", "leader_election", "client_discovery"]
    assert phases(run, 2) == ["silence", "fencing", "isr_shrink", "client_discovery"]
    fencing = row(run, "fencing")
    assert fencing["end_s"] == pytest.approx(8.9) and fencing["longest_s"] - fencing["shortest_s"] < 0.05
    assert fencing["ended_by"] == "log of broker-2"


def test_the_slowest_phase_is_named_with_its_setting(tmp_path: Path) -> None:
    """One phase of each stall is the slowest; the fencing's is the brokers' session, with the value in this run."""
    found = analysis.anatomy(lost(tmp_path).run())
    assert (found[found["stall"] != NO_STALL].groupby("stall")["slowest"].sum() == 1).all()
    slowest = found[found["slowest"] & (found["partition"] == 0)].iloc[0]
    assert (slowest["phase"], slowest["setting"], slowest["value"]) == (
        "fencing", "broker broker.session.timeout.ms", "9000",
    )  # fmt: skip


@pytest.mark.parametrize("make", [lost, broker_loss, consumer_loss])
def test_the_phases_of_a_stall_add_up_to_it(tmp_path: Path, make: Any) -> None:
    """Exactly, in order, without a hole, whatever was seen."""
    run = make(tmp_path).run()
    found, stalls = analysis.anatomy(run), analysis.stalls(run)
    assert len(stalls)
    for number, mine in found[found["stall"] != NO_STALL].groupby("stall"):
        whole = stalls.iloc[int(str(number))]
        assert mine["start_s"].iloc[0] == pytest.approx(whole["start_s"], abs=1e-8)
        assert mine["end_s"].iloc[-1] == pytest.approx(whole["end_s"], abs=1e-8)
        assert (mine["start_s"].to_numpy()[1:] == mine["end_s"].to_numpy()[:-1]).all()


def test_without_logs_only_the_probe_tells(tmp_path: Path) -> None:
    """The fencing is not told apart from the election, whose error is that of two looks."""
    h = broker_loss(tmp_path)
    looks = h["partitions"]
    new = (looks["partition"] == 0) & looks["t_ns"].between(at_ns(8.8), at_ns(9))
    looks.loc[new, ["leader", "epoch"]] = [2, 1]
    run = h.run()
    merged = row(run, "fencing+leader_election")
    assert merged["ended_by"] == "probe" and merged["lasted_s"] - merged["shortest_s"] > 0.2


@pytest.mark.parametrize("told", ["noted", "logged"])
def test_an_active_controller_is_elected_first(tmp_path: Path, told: str) -> None:
    """Whether the injector noted the victim's role or the log tells it, the controller's election comes first."""
    h = lost(tmp_path)
    h.logs["broker-2"].insert(0, line.active(7.5, 2))
    if told == "noted":
        h["faults"].loc[h["faults"]["step"] == "intended", "evidence"] = CONTROLLER
    else:
        h.logs["broker-1"] = [line.active(-3, 1)]
    run = h.run()
    assert phases(run)[:2] == ["controller_election", "fencing"]
    assert row(run, "controller_election")["end_s"] == pytest.approx(7.5)


def test_another_broker_that_was_the_controller_costs_no_election(tmp_path: Path) -> None:
    """A controller that changes while another broker is dead is no phase of that broker's stalls."""
    h = lost(tmp_path)
    h.logs["broker-3"].insert(0, line.active(-3, 3))
    h.logs["broker-2"].insert(0, line.active(7.5, 2))
    assert "controller_election" not in phases(h.run())


def test_a_controller_that_was_frozen_fences_nobody(tmp_path: Path) -> None:
    """What it writes before it hears of its successor is no fencing: here the real one comes later."""
    h = lost(tmp_path)
    h.logs["broker-2"].insert(0, line.active(-3, 2))
    h.logs["broker-3"].append(line.fenced(7, 1))
    assert row(h.run(), "fencing")["end_s"] == pytest.approx(8.9)


def test_a_broker_that_hands_over_is_not_fenced(tmp_path: Path) -> None:
    """After a SIGTERM the election needs no session; the process is gone later."""
    fault = {"kind": "terminate", "target": "leader:0", "hold_s": 6}
    h = healthy(tmp_path, scenario(faults=[fault]))
    h.fault("broker-1", 6, 12, kind="terminate", target="leader:0")
    h["faults"].loc[h["faults"]["step"] == "evidence", "t_ns"] = at_ns(7.6)
    stall(h, 6, 7.5, (0,))
    run = logs(h, broker_2=[line.leaving(6.3, 1), line.leads(6.4, 2, 0, 1, "2")]).run()
    assert phases(run)[-2:] == ["leader_election", "client_discovery"]
    assert analysis.contradictions(run) == []


def test_an_active_controller_that_hands_over_is_no_election_to_wait_for(tmp_path: Path) -> None:
    """It elects the new leaders itself before it ends; that another controller comes later delays nobody."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "terminate", "target": "leader:0", "hold_s": 6}]))
    h.fault("broker-1", 6, 12, kind="terminate", target="leader:0")
    h["faults"].loc[h["faults"]["step"] == "intended", "evidence"] = CONTROLLER
    h["faults"].loc[h["faults"]["step"] == "evidence", "t_ns"] = at_ns(9)
    stall(h, 6, 7.5, (0,))
    later = [line.active(8.9, 2), line.registered(14, 1)]
    run = logs(h, broker_2=[line.leads(6.2, 2, 0, 1, "2"), *later]).run()
    assert phases(run)[-2:] == ["leader_election", "client_discovery"]
    assert analysis.contradictions(run) == []


def test_a_restarted_leader_is_waited_for_to_the_end_of_its_session(tmp_path: Path) -> None:
    """Killed and started at once: it runs again after a second, and its partition waits for the fencing even so."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "restart", "target": "leader:0", "hold_s": 6}]))
    h.fault("broker-1", 6, 12, kind="restart", target="leader:0")
    h["faults"].loc[h["faults"]["step"] == "injected", "t_ns"] = at_ns(6.3)
    h["faults"].loc[h["faults"]["step"] == "evidence", "t_ns"] = at_ns(7)
    stall(h, 6, 9, (0,))
    stall(h, 6, 8, (2,))
    lines = [line.registered(8.8, 1), line.leads(8.9, 2, 0, 1, "2")]
    run = logs(h, broker_2=lines, broker_3=[line.goes_on(8.9, 3, 2, 0, "3")]).run()
    assert phases(run) == ["silence", "fencing", "leader_election", "client_discovery"]
    assert phases(run, 2) == ["silence", "heal", "victim_return"], "it copies what it follows before that"
    found = analysis.anatomy(run)
    back = found[(found["phase"] == "heal") & (found["partition"] == 0)].iloc[0]
    assert back["lasted_s"] == pytest.approx(0.7) and back["setting"] == ""


def test_a_broker_that_says_its_old_epoch_again_fills_no_isr(tmp_path: Path) -> None:
    """What a restarted broker says of the epoch that it led before is no full ISR: that comes with the new leader."""
    h = lost(tmp_path)
    h.logs["broker-1"] = [line.leads(12.5, 1, 0, 0, "1,2")]
    h.logs["broker-2"].append(line.goes_on(13.5, 2, 0, 1, "1,2"))
    found = analysis.anatomy(h.run())
    full = found[(found["phase"] == "isr_full") & (found["partition"] == 0)].iloc[0]
    assert full["end_s"] == pytest.approx(13.5)


def test_a_partition_without_a_leader_waits_for_the_healing(tmp_path: Path) -> None:
    """Nobody could lead while the victim was dead, as the probe was told: its return comes before the election."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "kill", "target": "leader:0", "hold_s": 2}]))
    h.fault("broker-1", 6, 8, target="leader:0")
    looks = h["partitions"]
    none = (looks["partition"] == 0) & looks["t_ns"].between(at_ns(6.2), at_ns(8.6))
    looks.loc[none, ["leader", "epoch"]] = [-1, 1]
    looks.loc[(looks["partition"] == 0) & (looks["t_ns"] > at_ns(8.6)), "epoch"] = 2
    stall(h, 6, 9, (0,))
    run = logs(h, broker_1=[line.leads(8.5, 1, 0, 2, "1")]).run()
    assert phases(run) == ["heal", "leader_election", "client_discovery"]


def test_a_lost_member_is_removed_assigned_and_replaced(tmp_path: Path) -> None:
    """The stores of its partition wait for the coordinator's line, the callback, the poll and the transaction."""
    h = logs(consumer_loss(tmp_path), broker_3=[line.removed(10.9, "processor-1")])
    h["group"].loc[h["group"]["t_ns"] == at_ns(11.01), "t_ns"] = at_ns(10.92)
    first = h["commits"].query(f"partition == 1 and t_ns >= {at_ns(11)}").iloc[0]
    polled = (h["reads"]["partition"] == 1) & (h["reads"]["last_offset"] == first["to_offset"] - 1)
    h["reads"].loc[polled, ["t_ns", "worker"]] = [at_ns(10.95), "processor-0"]
    h["commits"].loc[first.name, "worker"] = "processor-0"
    run = h.run()
    assert phases(run, 1, "stores") == [
        "before_fault", "silence", "member_removal", "assignment", "first_poll", "group_first_commit",
    ]  # fmt: skip
    assert row(run, "member_removal", 1, "stores")["end_s"] == pytest.approx(10.9)
    assert row(run, "assignment", 1, "stores")["ended_by"] == "callback of processor-0"


def test_the_brokers_set_the_session_of_a_new_protocol(tmp_path: Path) -> None:
    """With KIP-848 the group's session and heartbeat govern, which are the brokers', and any removed member counts."""
    h = logs(consumer_loss(tmp_path, clients={"protocol": "consumer"}))
    h.logs["broker-3"] = [line.removed_by_session(10.9)]
    h["group"].loc[h["group"]["t_ns"] == at_ns(11.01), "t_ns"] = at_ns(10.95)
    run = h.run()
    found = row(run, "member_removal", 1, "stores")
    assert found["end_s"] == pytest.approx(10.9) and found["setting"] == "broker group.consumer.session.timeout.ms"
    assert row(run, "assignment", 1, "stores")["setting"] == "broker group.consumer.heartbeat.interval.ms"


def test_the_members_that_the_probe_saw_stand_in_for_the_log(tmp_path: Path) -> None:
    """Without the coordinator's line the removal lies between two looks of the probe, and its error says so."""
    h = consumer_loss(tmp_path)
    members = h["members"]
    gone = (members["member"] == "processor-1") & members["t_ns"].between(at_ns(10.5), at_ns(13))
    h["members"] = members[~gone].reset_index(drop=True)
    found = row(h.run(), "member_removal", 1, "stores")
    assert found["ended_by"] == "probe" and found["shortest_s"] < 10.5 - 6.01 <= found["lasted_s"]


def test_a_database_is_away_until_it_answers(tmp_path: Path) -> None:
    """Until the probe's connection is answered again the store is away, by the hold time; then clients reconnect."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "kill", "target": "database", "hold_s": 6}]))
    h.fault("database", 6, 12, target="database")
    for second in np.arange(0, 18, 0.5):
        h.add("database", worker="probe", t_ns=at_ns(second), answer="none" if 6 <= second < 12 else "ok")
    stall(h, 6, 13, (0, 1, 2), acks=False)
    run = h.run()
    assert phases(run, 0, "stores")[-2:] == ["store_away", "reconnect"]
    away = row(run, "store_away", 0, "stores")
    assert (away["setting"], away["value"]) == ("lab hold_s", "6") and 12 <= away["end_s"] <= 12.5


@pytest.mark.parametrize(("back_s", "phase"), [(12.99, "isr_expansion"), (11, "unexplained")])
def test_a_replica_that_comes_back_may_stall_its_partition_again(tmp_path: Path, back_s: float, phase: str) -> None:
    """From when it is counted alive until the ISR is full again; had it been alive for long, that explains nothing."""
    h = lost(tmp_path)
    stall(h, 13, 15, (2,))
    h.logs["broker-2"].append(line.unfenced(back_s, 1))
    h.logs["broker-3"].append(line.goes_on(15.05, 3, 2, 0, "3,1"))
    assert phases(h.run(), 2)[-1] == phase


def test_acks_that_are_still_missing_hold_up_a_second_stall_of_stores(tmp_path: Path) -> None:
    """The consumer found the new leader first and stored what was left: it then waits for the producer."""
    h = lost(tmp_path)
    stall(h, 6, 12, (0,))
    kept = h["commits"].query(f"partition == 0 and t_ns >= {at_ns(12)}").index[0]
    h["commits"].loc[kept, "t_ns"] = at_ns(10)
    found = analysis.anatomy(h.run()).query("partition == 0 and service == 'stores' and stall >= 0")
    second = found[found["stall"] == found["stall"].max()]
    assert second["phase"].iloc[0] == "client_discovery" and second["lasted_s"].iloc[0] > second["stalled_s"].iloc[0]


def test_a_fault_that_was_never_healed_stays_open(tmp_path: Path) -> None:
    """Its healing is open, so its length has no upper bound, and nothing is said of a full ISR."""
    h = lost(tmp_path)
    h["faults"] = h["faults"][~h["faults"]["step"].isin(["healing", "healed"])]
    found = analysis.anatomy(h.run())
    after = found[(found["stall"] == NO_STALL) & (found["partition"] == 0)].set_index("phase")
    assert after.loc["heal", "open"] and np.isinf(after.loc["heal", "longest_s"]) and "isr_full" not in after.index


def test_a_stall_that_did_not_end_is_open(tmp_path: Path) -> None:
    """Nothing is acknowledged to the end: the last phase is open and unbounded, its length what was watched."""
    h = broker_loss(tmp_path)
    dead = (h["sends"]["partition"] == 0) & (h["sends"]["t_ack_ns"] >= at_ns(6))
    h["sends"].loc[dead, ["t_ack_ns", "offset"]] = -1
    h["sends"].loc[dead, "outcome"] = "unknown"
    last = analysis.anatomy(h.run()).query("partition == 0 and service == 'acks'").iloc[-1]
    assert last["open"] and np.isinf(last["longest_s"]) and last["ended_by"] == ""


def test_a_second_fault_takes_over_the_stall(tmp_path: Path) -> None:
    """Frozen before it is killed: from the second fault on the phases are that fault's, and they still add up."""
    faults = [{"kind": "pause", "target": "leader:0", "hold_s": 2}, {"kind": "kill", "target": "leader:0", "at_s": 3}]
    h = healthy(tmp_path, scenario(faults=faults))
    h.fault("broker-1", 6, 8, kind="pause", target="leader:0")
    h.fault("broker-1", 9, 15, number=1, target="leader:0")
    stall(h, 6, 12, (0,))
    run = logs(h, broker_2=[line.fenced(11.8, 1), line.leads(11.9, 2, 0, 1, "2")]).run()
    mine = analysis.anatomy(run).query("partition == 0 and service == 'acks' and stall >= 0")
    assert mine["fault"].tolist() == sorted(mine["fault"]) and set(mine["fault"]) == {0, 1}
    assert mine.loc[mine["fault"] == 1, "phase"].tolist()[-3:] == ["fencing", "leader_election", "client_discovery"]


def test_a_run_without_stalls_has_no_anatomy(tmp_path: Path) -> None:
    """A healthy run has no row, with all columns."""
    found = analysis.anatomy(healthy(tmp_path).run())
    assert found.empty and {"phase", "stalled_s", "setting"} <= set(found.columns)


def test_a_stall_of_no_fault_is_not_explained(tmp_path: Path) -> None:
    """Nothing was broken: the stall is told as one piece without a phase."""
    h = healthy(tmp_path)
    stall(h, 2, 4, (0,))
    found = analysis.anatomy(h.run())
    assert set(found["phase"]) == {"unexplained"} and set(found["setting"]) == {""}


def test_an_interrupted_run_is_refused(tmp_path: Path) -> None:
    """What its end would have told is not there: it is no run without stalls."""
    h = lost(tmp_path).run()
    (h.folder.raw / "manifest.json").unlink()
    with pytest.raises(UsageError, match="not judged"):
        analysis.anatomy(h)


@pytest.mark.parametrize(
    ("told", "setting", "value"),
    [
        (["REQTMOUT"], "producer socket.timeout.ms", "60000"),
        (["FAIL"], "producer reconnect.backoff.max.ms", "1000"),
        (["FAIL", "REQTMOUT"], "producer socket.timeout.ms", "60000"),
        ([], "producer topic.metadata.refresh.interval.ms", "10000"),
        (None, "producer reconnect.backoff.max.ms", "1000"),
    ],
    ids=["timed out", "closed", "both", "neither", "no log: a killed broker closes its connections"],
)
def test_a_client_says_which_setting_made_it_look_for_another_broker(
    tmp_path: Path, told: list[str] | None, setting: str, value: str
) -> None:
    """By the producer's own lines about the victim since the fault, and by the kind of fault where it kept no log."""
    h = lost(tmp_path)
    h.made_of |= {"producer": {"socket.timeout.ms": "60000", "reconnect.backoff.max.ms": "1000",
                               "topic.metadata.refresh.interval.ms": "10000"}}  # fmt: skip
    run = h.run()
    if told is not None:
        lines = [line.client(8.97, kind, "producer", 1) for kind in told]
        (run.folder.logs / "fleet-0.jsonl").write_text("\n".join(lines) + "\n")
    found = row(run, "client_discovery")
    assert (found["setting"], found["value"]) == (setting, value)


def test_the_backlog_is_drained_after_the_last_stall(tmp_path: Path) -> None:
    """The lag of the partition that stalled leaves its band and is back: the time from the stall's end is its drain."""
    h = lost(tmp_path)
    lag = h["lag"]
    high = (lag["partition"] == 0) & lag["t_ns"].between(at_ns(6.2), at_ns(10.5))
    lag["end"] = lag["end"].where(~high, lag["committed"] + 5_000)
    h["lag"] = lag
    found = row(h.run(), "drain", service="")
    assert found["start_s"] == pytest.approx(9.0, abs=0.2) and 0 < found["lasted_s"] < 2.5


def test_a_logs_mark_is_as_exact_as_its_stamp(tmp_path: Path) -> None:
    """A line is stamped in milliseconds: the bounds of a phase between two of them are 2 ms either way."""
    election = row(lost(tmp_path).run(), "leader_election")
    assert election["shortest_s"] == pytest.approx(election["lasted_s"] - 0.002, abs=1e-4)
    assert election["longest_s"] == pytest.approx(election["lasted_s"] + 0.002, abs=1e-4)
