"""The audit on handmade histories: one that violates each check, and one that almost does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from factorylab.audit.judge import checked
from factorylab.audit.judged import JudgedRun, load
from factorylab.audit.model.findings import Check, meets, worst
from factorylab.audit.model.registry import CHECKS, Evidence, Found, check
from factorylab.audit.model.verdict import numbers, one_line, panel
from factorylab.core.errors import ScenarioError, UsageError
from factorylab.history import run_tables
from tests.support.histories import (
    BOOT,
    History,
    S,
    at_ns,
    broker_loss,
    consumer_loss,
    forget_acked,
    healthy,
    network_partition,
    scenario,
)
from tests.support.spoils import (
    Spoil,
    add_log,
    alert,
    answer,
    behind,
    blind,
    both,
    callback,
    check_of,
    commit,
    dead_letter,
    drop,
    drop_column,
    fired,
    lag_grows,
    later,
    letter,
    link,
    lose,
    not_in_sync,
    of_partition,
    poll,
    retention,
    set_cell,
    thin_after,
    unread,
)


def spoiled(folder: Path, spoil: Spoil, **changes: object) -> JudgedRun:
    history = healthy(folder, scenario(**changes))
    spoil(history)
    return history.run()


def told_in_two_ways(odd: str) -> Spoil:
    """One sink, or the pass, gives an alert another severity than the others do."""
    return lambda h: [
        alert(h, sink, 3, severity="critical" if sink == odd else "warning") for sink in ("table", "topic", "replay")
    ]


VIOLATED: dict[str, tuple[Spoil, dict[str, int]]] = {
    "an acknowledged reading that is not in the log is lost": (drop("log", 5), {"lost_in_log": 1}),
    "a record passed over by the store is lost in the pipeline": (
        lambda h: unread(h, 7), {"lost_in_pipeline": 1, "skipped": 1}),
    "records ahead of the position are not drained": (behind, {"not_drained": 10}),
    "what retention took before it was stored is expired": (lambda h: retention(h, stored=False), {"expired": 4}),
    "a record of a sensor that nobody has is a phantom": (lambda h: add_log(h, -1, 0), {"phantom": 1}),
    "a record that the producer refused is a phantom": (lambda h: answer(h, 12, "fail"), {"phantom": 2}),
    "a shed record in the log is a phantom": (lambda h: answer(h, 12, "shed"), {"phantom": 2}),
    "a second offset is a duplicate in the log, and here a change of payload": (
        lambda h: add_log(h, 0, 3), {"duplicate_in_log": 1, "corrupt": 1}),
    "a second row is a duplicate in the store": (
        lambda h: h.add("rows", sensor=0, seq=3, partition=0, offset=6, value=20.0), {"duplicate_in_store": 1}),
    "a payload that is not what was sent is corrupt, and a poll saw the true one": (
        set_cell("log", 4, "payload_hash", np.uint64(1)), {"corrupt": 1, "inconsistent_offset": 1}),
    "an ack for a place that holds another reading is inconsistent": (
        set_cell("sends", 6, "offset", 0), {"inconsistent_offset": 1}),
    "a stored row of a place that holds another reading is inconsistent": (
        set_cell("rows", 6, "offset", 0), {"inconsistent_offset": 1}),
    "an ack for a place beyond the log's end, of a reading that lies elsewhere, is inconsistent": (
        set_cell("sends", 6, "offset", 10**6), {"inconsistent_offset": 1}),
    "a stored row of a place beyond the log's end is inconsistent": (
        set_cell("rows", 6, "offset", 10**6), {"inconsistent_offset": 1}),
    "a stored reading that was never acknowledged and is not in the log is inconsistent": (
        lambda h: [answer(h, 12, "unknown"), lose(h, 12, "log")], {"inconsistent_offset": 1}),
    "a dead letter of a place that the log does not have is inconsistent": (
        lambda h: h.add("dead_letters", partition=0, offset=10**6, reason="", payload_hash=np.uint64(1)),
        {"inconsistent_offset": 1}),
    "a stored record that is a dead letter too is both": (lambda h: letter(h, 7), {"dead_and_stored": 1}),
    "a record that is not in the journal is a phantom, and no more": (drop("sends", 6), {"phantom": 2}),
    "a stored value that is not the one that was sent is corrupt": (
        set_cell("rows", 6, "value", 20.5), {"corrupt": 1}),
    "polls that step back are rewound": (lambda h: poll(h, "processor-0", 1), {"rewound": 1}),
    "a missing poll is a skip": (drop("reads", 9), {"skipped": None}),
    "an older owner whose transaction takes effect is a zombie": (
        lambda h: commit(h, 0, refused=False), {"zombie_write": 1}),
    "a second worker that writes in the epoch of another is a zombie": (
        set_cell("commits", 9, "worker", "processor-9"), {"zombie_write": 1}),
    "a partition given to a second owner before the first gave it up has two": (
        lambda h: callback(h, "processor-1", 3, "assigned"), {"two_owners": 1}),
    "an alert stored with another severity is altered": (told_in_two_ways("table"), {"alert_differs": 1}),
    "an alert published with another severity is altered": (told_in_two_ways("topic"), {"alert_differs": 1}),
    "an alert that the pass gives another severity is altered": (told_in_two_ways("replay"), {"alert_differs": 1}),
    "an alert stored twice is a duplicate": (
        lambda h: [alert(h, sink, 3) for sink in ("table", "table", "topic", "replay")], {"duplicate_alert": 1}),
    "a stored alert that is not in the topic is missing": (
        lambda h: [alert(h, sink, 3) for sink in ("table", "replay")], {"alert_missing": 1}),
    "a stored alert that the log does not give is one too many": (
        lambda h: [alert(h, sink, 3) for sink in ("table", "topic")], {"alert_differs": 1}),
    "an alert that the log gives and that is nowhere differs": (
        lambda h: alert(h, "replay", 3), {"alert_differs": 1}),
    "an alert of the log that the store has not reached yet is only late": (
        lambda h: [behind(h), alert(h, "replay", h["log"].query("sensor == 0")["seq"].max())], {"not_drained": 10}),
    "an alert of the topic whose reading is stored without it is spurious": (
        lambda h: alert(h, "topic", 3), {"alert_spurious": 1}),
    "a worker that the supervisor saw end unasked is a finding": (
        lambda h: h.made_of.update(workers_died=["processor-1"]), {"died_unasked": 1}),
    "a broker dead with no fault on it is a finding": (
        lambda h: h["processes"].loc.__setitem__((h["processes"]["name"] == "broker-2", "status"), "dead"),
        {"died_unasked": 1, "healed": 1}),
    "an owner that ended without a word gave up what it had; that it began anew was nobody's fault": (lambda h: [
        callback(h, "processor-1", 3, "assigned"),
        h.add("workers", worker="processor-0", t_ns=at_ns(4), pid=2, role="processor", boot_id=BOOT, wall_ns=at_ns(4))],
        {"undisturbed": 1}),
}  # fmt: skip

ALMOST: dict[str, Spoil] = {
    "an unanswered reading that is not in the log is no loss": both(
        lambda h: answer(h, 15, "unknown"), lambda h: lose(h, 15)),
    "an unanswered reading that is in the log is stored, no phantom": lambda h: answer(h, 12, "unknown"),
    "a shed reading that is nowhere is no loss without an objective": both(
        lambda h: answer(h, 15, "shed"), lambda h: lose(h, 15)),
    "an acknowledgement without an offset is legal": set_cell("sends", 12, "offset", -1),
    "a dead-lettered record is not lost": lambda h: dead_letter(h, 7),
    "what retention took after it was stored is not lost": lambda h: retention(h, stored=True),
    "the topic may repeat an alert": lambda h: [alert(h, sink, 3) for sink in ("table", "topic", "topic", "replay")],
    "a processor that raises no alerts is not asked for them": lambda h: [
        alert(h, "replay", 3), setattr(h, "scenario", scenario(clients={"processor": "naive"}))],
    "of a log that retention has cut nobody can tell the alerts": both(
        lambda h: retention(h, stored=True), lambda h: [alert(h, sink, 30) for sink in ("table", "topic")]),
    "a refused commit of an older owner is the fence at work": lambda h: commit(h, 0, refused=True),
    "reading again under a new assignment is legal": lambda h: poll(h, "processor-1", 2),
    "a history from before values were read from the log says nothing about them": both(
        set_cell("rows", 6, "value", 20.5), lambda h: h.made_of.update(schema_version=3)),
    "a history from before all measures were read tells of the main one alone": both(
        drop_column("measures_hash", "log", "rows"), lambda h: h.made_of.update(schema_version=5)),
    "an owner that hears of its loss late had no say in it": lambda h: [
        callback(h, "processor-1", 3, "assigned"), callback(h, "processor-0", 4, "lost")],
}  # fmt: skip


@pytest.mark.parametrize("claim", VIOLATED)
def test_each_violation_is_found_with_its_count(tmp_path: Path, claim: str) -> None:
    """Each violation fires exactly its own checks, with the exact count where it is given."""
    spoil, expected = VIOLATED[claim]
    found = fired(spoiled(tmp_path, spoil))
    assert found == {name: found.get(name) if n is None else n for name, n in expected.items()}
    assert all(found.values())


@pytest.mark.parametrize("claim", ALMOST)
def test_what_almost_is_a_violation_passes(tmp_path: Path, claim: str) -> None:
    """Legal oddities leave every check at PASS."""
    assert fired(spoiled(tmp_path, ALMOST[claim])) == {}


def consumer_cut_off(folder: Path) -> History:
    return network_partition(folder, "owner:0", "processor-0")


def test_what_dies_while_it_is_killed_was_asked_to(tmp_path: Path) -> None:
    """An injector may tell of the deed only after the probe saw it: from the intention on, the death was asked for."""
    history = broker_loss(tmp_path)
    late = history["faults"]["step"] == "injected"
    history["faults"].loc[late, "t_ns"] += at_ns(0.5) - at_ns(0)  # two samples of the probe
    assert fired(history.run(), "died_unasked") == {}
    history["faults"] = history["faults"][history["faults"]["step"] != "intended"]
    assert fired(history.run(), "died_unasked") == {"died_unasked": 1}


@pytest.mark.parametrize(("rounds", "accused"), [(1, {}), (2, {"died_unasked": 1})])
def test_a_busy_probe_looks_after_its_round_began(tmp_path: Path, rounds: int, accused: dict[str, int]) -> None:
    """Seen dead in the round in which the kill was intended, a broker was killed; in the round before, it died."""
    history = broker_loss(tmp_path)
    rows, steps = history["processes"], history["faults"]
    intended_ns = steps.loc[steps["step"] == "intended", "t_ns"].min()
    victim = rows["name"] == steps["node"].iloc[0]
    early = rows.index[victim & (rows["t_ns"] < intended_ns)][-rounds:]
    rows.loc[early, "status"] = "dead"
    assert fired(history.run(), "died_unasked") == accused


@pytest.mark.parametrize("make", [healthy, broker_loss, consumer_loss, network_partition, consumer_cut_off])
def test_a_whole_history_passes(tmp_path: Path, make: Callable[[Path], History]) -> None:
    """A healthy run, losses of a broker and of a consumer, and network partitions of both pass every check."""
    verdict = make(tmp_path).run().verdict
    assert (verdict.verdict, fired(verdict), verdict.met, verdict.exit_code) == ("PASS", {}, True, 0)


@pytest.mark.parametrize(("column", "number"), [("seq", 10**15), ("sensor", 2 * 10**9)])
def test_a_number_that_asks_for_more_than_there_can_be_is_named(tmp_path: Path, column: str, number: int) -> None:
    """One altered seq or sensor is no reason to take room for all that would lie before it: INVALID, and why."""
    history = healthy(tmp_path)
    set_cell("sends", 6, column, number)(history)
    found = check_of(history.run(), "lost_in_log")
    assert found.verdict == "INVALID" and f"sends.{column} asks for {str(number)[0]},0" in found.measured


def unseen(table: str, partition: int) -> Spoil:
    """For five seconds the probe noted nothing of a partition."""

    def spoil(h: History) -> None:
        gap = h[table]["t_ns"].between(at_ns(1), at_ns(6)) & (h[table]["partition"] == partition)
        h[table] = h[table][~gap]

    return spoil


INVALID: dict[str, tuple[Spoil, str]] = {
    "a table that is not there": (lambda h: h.absent.add("reads"), "tables"),
    "a clock of another boot": (
        lambda h: h.add("workers", worker="x", pid=1, role="x", boot_id="other", wall_ns=at_ns(0), t_ns=at_ns(0)),
        "one_clock"),
    "a wall clock that was put back in the middle": (
        lambda h: h["phases"].__setitem__("wall_ns", h["phases"]["wall_ns"] - S * (h["phases"]["phase"] == "drain")),
        "one_clock"),
    "a run that was cut off": (lambda h: h.__setitem__("phases", h["phases"].iloc[:-1]), "complete"),
    "a problem of the lab's own": (lambda h: h.made_of.update(problems=["disk full"]), "no_problems"),
    "the death of the probe": (lambda h: h.made_of.update(workers_died=["probe"]), "no_problems"),
    "a final read that ends too early": (
        lambda h: h["frozen"].__setitem__("end", h["frozen"]["end"] + 1), "final_read"),
    "a probe that was blind": (blind, "probe_alive"),
    "a rate that was not the declared one": (
        lambda h: h["sends"].__setitem__("t_ns", h["sends"]["t_ns"].where(h["sends"]["t_ns"] > at_ns(1), at_ns(0) - 1)),
        "steady_state"),
    "a lag that grew before the fault": (lag_grows, "steady_state"),
    "a fault that the probe did not see": (
        lambda h: h["processes"].__setitem__("status", "running"), "fault_landed"),
    "a fault that was never injected": (
        lambda h: h.__setitem__("faults", h["faults"].assign(step="skipped")), "fault_landed"),
    "a fault whose injector found no evidence": (
        lambda h: h["faults"].__setitem__("step", h["faults"]["step"].replace("evidence", "no_evidence")),
        "fault_landed"),
    "hardly any sends after the fault": (thin_after, "enough_sends"),
    "a fault that was never healed": (
        lambda h: h.__setitem__("faults", h["faults"][h["faults"]["step"] != "healed"]), "healed"),
    "a replica that is still missing": (not_in_sync, "healed"),
    "a fault that was held for a moment": (
        lambda h: [later("faults", -5.5, step=step)(h) for step in ("healing", "healed")], "fault_landed"),
    "a fault of another kind than the declared one": (
        lambda h: h["faults"].__setitem__("kind", "terminate"), "fault_landed"),
    "a fault on another target than the declared one": (
        lambda h: h["faults"].__setitem__("target", "leader:1"), "fault_landed"),
    "a fault that nobody declared": (
        lambda h: h.fault("broker-2", 9, 10, number=1), "fault_landed"),
    "a phase before the one that it follows": (later("phases", 60, phase="steady"), "complete"),
    "a phase that came twice": (
        lambda h: h.__setitem__("phases", pd.concat([h["phases"], h["phases"].tail(1)])), "complete"),
    "a probe that saw no leader of a partition": (unseen("partitions", 1), "probe_alive"),
    "a probe that saw no lag of a partition": (unseen("lag", 2), "probe_alive"),
    "a broker that the probe never saw": (
        lambda h: h.__setitem__("processes", h["processes"][h["processes"]["name"] != "broker-3"]), "healed"),
    "a partition with two frozen ends": (
        lambda h: h.__setitem__("frozen", pd.concat([h["frozen"], h["frozen"].head(1)])), "final_read"),
    "a frozen end of a partition that nobody has": (
        lambda h: h.add("frozen", partition=7, start=0, end=0), "final_read"),
    "a frozen end before its start": (set_cell("frozen", 1, "start", 10**6), "final_read"),
    "a partition that the scenario does not have": (set_cell("log", 4, "partition", 7), "final_read"),
    "an answer before its send": (set_cell("sends", 6, "t_ack_ns", at_ns(-2.5)), "reading_times"),
    "an acknowledgement that never came": (set_cell("sends", 6, "t_ack_ns", -1), "journal_whole"),
    "an answer that acknowledges nothing and has an offset": (
        lambda h: [answer(h, 12, "unknown"), h["sends"].__setitem__("offset", h["log"]["offset"])], "journal_whole"),
    "transactions of another time": (later("commits", 3600), "one_run"),
    "a manifest of another scenario": (lambda h: h.made_of.update(scenario="other"), "one_run"),
    "a manifest of another seed": (lambda h: h.made_of.update(seed=7), "one_run"),
    "a manifest of other clients": (lambda h: h.made_of.update(producer={"acks": "1"}), "one_run"),
    "a manifest of an earlier run": (lambda h: h.made_of.update(started_wall_ns=at_ns(-200)), "one_run"),
    "a manifest whose topics are of another run": (
        lambda h: h.made_of.update(topics={"sensor-data": "sensor-data-abcdef"}), "one_run"),
    "a transaction that is not noted": (of_partition("commits", lambda rows: rows.index[[9]]), "commits_whole"),
    "a last transaction that is not noted": (of_partition("commits", lambda rows: rows.index[-1:]), "commits_whole"),
    "a transaction that is noted twice": (
        lambda h: h.__setitem__("commits", pd.concat([h["commits"], h["commits"].loc[[9]]])), "commits_whole"),
    "no transaction of a partition": (of_partition("commits", lambda rows: rows.index), "commits_whole"),
    "a first poll that is not noted": (of_partition("reads", lambda rows: rows.index[:1]), "commits_whole"),
    "a last poll that is not noted": (of_partition("reads", lambda rows: rows.index[-1:]), "commits_whole"),
    "a transaction with more rows than offsets": (set_cell("commits", 9, "rows", 100), "commits_whole"),
    "a transaction with fewer rows than are stored": (set_cell("commits", 9, "rows", 1), "commits_whole"),
    "alerts of a transaction that are nowhere": (set_cell("commits", 9, "alerts", 1), "commits_whole"),
    "a position of an older owner": (set_cell("positions", 1, "owner_epoch", 0), "commits_whole"),
    "a partition without a position": (drop("positions", 1), "commits_whole"),
    "a group without a callback": (lambda h: h.__setitem__("group", h["group"].head(0)), "two_owners"),
    "a reading that was offered twice": (
        lambda h: h.__setitem__("sends", h["sends"].loc[[0, *h["sends"].index]].reset_index(drop=True)),
        "journal_whole"),
}  # fmt: skip


@pytest.mark.parametrize("claim", INVALID)
def test_a_run_that_proves_nothing_is_invalid(tmp_path: Path, claim: str) -> None:
    """Each hole in the evidence makes the run INVALID through its own check."""
    spoil, name = INVALID[claim]
    history = broker_loss(tmp_path)
    spoil(history)
    assert check_of(history.run(), name).verdict == "INVALID"


@pytest.mark.parametrize(("also", "worst", "code"), [(lambda h: None, "INVALID", 4), (drop("log", 5), "FAIL", 1)])
def test_a_run_with_an_invalid_check_does_not_do_what_was_expected(
    tmp_path: Path, also: Spoil, worst: str, code: int
) -> None:
    """One INVALID check makes the verdict INVALID and its exit code 4; beside a loss, which wins, 1."""
    verdict = spoiled(tmp_path, both(lambda h: h.made_of.update(problems=["x"]), also)).verdict
    assert (verdict.verdict, verdict.met, verdict.exit_code) == (worst, False, code)


def test_what_a_killed_owner_could_not_note_is_no_hole(tmp_path: Path) -> None:
    """The last transaction of an owner that is killed may be missing in its journal; two of them may not."""
    history = consumer_loss(tmp_path)
    last = history["commits"].query("partition == 1 and owner_epoch == 1").sort_values("t_ns").index[-2:]
    history["commits"] = history["commits"].drop(index=last[1:])
    assert fired(history.run()) == {}
    whole = history["commits"]
    history["commits"] = whole.drop(index=last[:1])
    assert fired(history.run()) == {"commits_whole": 1}
    history["commits"] = whole.drop(index=whole.query("partition == 1")["t_ns"].idxmax())
    assert fired(history.run()) == {"commits_whole": 1}, "its owner lived to the end"


def test_only_the_seal_itself_is_not_sealed(tmp_path: Path) -> None:
    """A file that is called like the seal and lies elsewhere is one too many."""
    run = healthy(tmp_path).run()
    (run.folder.logs / "seal.json").write_text("{}")
    assert fired(run, "seal") == {"seal": 1}


def test_a_scenario_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """A damaged scenario.json is an error that names it."""
    run = healthy(tmp_path).run()
    (run.folder.raw / "scenario.json").write_bytes(b"\xff{")
    with pytest.raises(ScenarioError, match=r"raw/scenario\.json"):
        _ = run.scenario


def untried(from_s: float, until_s: float) -> Spoil:
    return lambda h: h.__setitem__("reach", h["reach"][~h["reach"]["t_ns"].between(at_ns(from_s), at_ns(until_s))])


TORN: dict[str, tuple[Spoil, list[str]]] = {
    "a link that the cut breaks was open once": (link("broker-1", "broker-2", 9, 10, ok=True), ["fault_landed"]),
    "no link broke": (lambda h: h["reach"].__setitem__("ok", True), ["fault_landed"]),
    "a client's link broke too": (link("processor-1", "broker-2", 6, 12, ok=False), ["fault_landed"]),
    "no link was tried while the cut was held": (untried(6, 12), ["fault_landed", "probe_saw"]),
    "a link stayed broken": (link("broker-3", "broker-1", 12, 99, ok=False), ["healed"]),
    "a link broke again": (link("broker-3", "broker-1", 15, 99, ok=False), ["healed"]),
    "no link was tried after the healing": (untried(12, 99), ["healed", "probe_saw"]),
    "the probe tried nothing at all": (
        lambda h: h.__setitem__("reach", h["reach"].head(0)), ["fault_landed", "probe_saw"]),
    "the injector saw other links than those of the cut": (
        lambda h: h["faults"].__setitem__("step", h["faults"]["step"].replace("evidence", "no_evidence")),
        ["fault_landed"]),
}  # fmt: skip

ALMOST_TORN: dict[str, Spoil] = {
    "the round that ended after the healing found links open": link("broker-1", "broker-2", 11, 12, ok=True),
    "the first round after the healing found one broken still": link("broker-1", "broker-2", 12, 12.5, ok=False),
    "a busy machine made an open link look broken twice": link("host", "broker-2", 8, 9.5, ok=False),
    "a link was broken before anything was cut": link("broker-1", "broker-2", 0, 3, ok=False),
}


@pytest.mark.parametrize("claim", TORN)
def test_a_cut_that_its_links_do_not_show_is_invalid(tmp_path: Path, claim: str) -> None:
    """A network partition counts only by the probe's own attempts to connect, and so does its end."""
    spoil, names = TORN[claim]
    history = network_partition(tmp_path)
    spoil(history)
    failed = [c for c in checked(history.run())[1] if c.fired]
    assert {c.name: c.verdict for c in failed} == dict.fromkeys(names, "INVALID")


@pytest.mark.parametrize("claim", ALMOST_TORN)
def test_a_cut_whose_links_almost_deny_it_passes(tmp_path: Path, claim: str) -> None:
    """Attempts that began before the healing and ended after it, and a hiccup of an open link, deny no cut."""
    history = network_partition(tmp_path)
    ALMOST_TORN[claim](history)
    assert fired(history.run()) == {}


def test_a_link_of_a_node_under_another_fault_says_nothing(tmp_path: Path) -> None:
    """A broker that is dead meanwhile answers nobody, and the cut of another is not blamed for it."""
    history = network_partition(tmp_path)
    link("host", "broker-3", 6, 12, ok=False)(history)
    assert list(fired(history.run())) == ["fault_landed"]
    faults = [
        *history.scenario.faults,
        history.scenario.faults[0].model_copy(update={"kind": "pause", "target": "broker:3"}),
    ]
    history.scenario = history.scenario.model_copy(update={"faults": tuple(faults)})
    history.fault("broker-3", 6, 12, kind="pause", number=1)
    assert fired(history.run()) == {}


def test_what_an_isolated_leader_confirmed_alone_is_lost(tmp_path: Path) -> None:
    """With acks=1 the readings that only the isolated leader had are lost, and a scenario may declare just that."""
    history = network_partition(tmp_path, clients={"acks": "1"}, expect=["lost_in_log"])
    lost = forget_acked(history, 6, 9)
    verdict = history.run().verdict
    assert lost == 100 and fired(verdict) == {"lost_in_log": lost} and verdict.met


def test_a_lag_that_moves_with_the_batches_is_steady(tmp_path: Path) -> None:
    """A lag of all partitions that shrinks by a third of a second's readings is noise, not a growing backlog."""
    history = healthy(tmp_path)
    early = history["lag"]["t_ns"] < at_ns(3)
    history["lag"].loc[early, "committed"] -= 11
    assert fired(history.run(), "steady_state") == {}


@pytest.mark.parametrize(
    ("source", "checks"), [("x.csv", []), (None, ["died_unasked", "enough_sends", "kept_rate", "reading_times"])]
)
def test_a_recording_may_end_before_its_run(tmp_path: Path, source: str | None, checks: list[str]) -> None:
    """A fleet that ends in the last phase is a death, and offers too little, unless its source has ended: then nothing
    more is due."""
    history = broker_loss(tmp_path, workload={"rate_per_s": 100, "sensors": 6, "source": source})
    history["processes"].loc[
        (history["processes"]["name"] == "fleet-0") & (history["processes"]["t_ns"] > at_ns(13)), "status"
    ] = "dead"
    if source:
        history["stages"]["t_ns"] = history["stages"]["t_ns"].clip(upper=at_ns(13))
    kept = history["sends"]["t_ns"] < at_ns(13)
    history["sends"] = history["sends"][kept].reset_index(drop=True)
    for table in ("log", "rows"):
        history[table] = history[table].merge(history["sends"][["sensor", "seq"]])
    ends = history["log"].groupby("partition")["offset"].max() + 1
    history["frozen"]["end"] = history["positions"]["next_offset"] = ends.to_numpy()
    history["reads"] = history["reads"][history["reads"]["last_offset"] < history["reads"]["partition"].map(ends)]
    assert sorted(fired(history.run())) == checks


def test_a_changed_file_breaks_the_seal(tmp_path: Path) -> None:
    """A byte changed after the seal makes the run INVALID and names the file."""
    run = healthy(tmp_path).run()
    file = run.folder.raw / "manifest.json"
    file.write_text(file.read_text() + "\n")
    assert [w.note for w in check_of(run, "seal").witnesses] == ["manifest.json"]
    assert fired(run) == {"seal": 1}


def test_a_run_without_manifest_is_invalid(tmp_path: Path) -> None:
    """A run that never wrote its manifest has a verdict, and it is INVALID."""
    run = healthy(tmp_path).run()
    (run.folder.raw / "manifest.json").unlink()
    assert (run.verdict.verdict, run.verdict.backend) == ("INVALID", "unknown")


def test_a_run_that_was_cut_short_proves_no_loss(tmp_path: Path) -> None:
    """Without a finished final read what is missing in log, store and sinks is unknown: INVALID, never FAIL."""

    def cut_short(h: History) -> None:
        for table in ("log", "rows"):
            h[table] = h[table].iloc[: len(h[table]) // 2]
        h["phases"] = h["phases"][~h["phases"]["phase"].isin(["final_read", "end"])]

    assert spoiled(tmp_path, cut_short).verdict.verdict == "INVALID"


def test_under_acks_0_nothing_is_acknowledged(tmp_path: Path) -> None:
    """What acks=0 calls a success and the log does not hold is unknown, never lost."""
    verdict = spoiled(tmp_path, lambda h: lose(h, 15), clients={"acks": "0"}).verdict
    assert verdict.verdict == "PASS" and verdict.counts is not None
    assert (verdict.counts.acked, verdict.counts.unknown, verdict.counts.unknown_found) == (0, 1200, 1199)


OBJECTIVES = [
    ({"recovery_s": 2}, "recovery_s"),
    ({"ack_gap_s": 2}, "ack_gap_s"),
    ({"latency_p99_s": 0.5}, "latency_p99_s"),
]


@pytest.mark.parametrize(("objectives", "name"), OBJECTIVES)
def test_a_missed_objective_fails(tmp_path: Path, objectives: dict[str, float], name: str) -> None:
    """An outage of 3 s misses 2 s of recovery, 2 s of ack gap and half a second of p99, each with a FAIL."""
    run = broker_loss(tmp_path, objectives=objectives).run()
    assert list(fired(run)) == [name] and check_of(run, name).verdict == "FAIL"


@pytest.mark.parametrize("objectives", [{"recovery_s": 4}, {"ack_gap_s": 4}, {"latency_p99_s": 4}])
def test_a_kept_objective_passes(tmp_path: Path, objectives: dict[str, float]) -> None:
    """The same outage keeps objectives of 4 s."""
    assert fired(broker_loss(tmp_path, objectives=objectives).run()) == {}


@pytest.mark.parametrize(("limit", "outcome"), [(0, "FAIL"), (1, "PASS")])
def test_shed_readings_count_against_their_objective(tmp_path: Path, limit: int, outcome: str) -> None:
    """One shed reading misses "none" and keeps "at most one"; offered − stored shows it either way."""
    spoil = both(lambda h: answer(h, 15, "shed"), lambda h: lose(h, 15))
    verdict = spoiled(tmp_path, spoil, objectives={"shed": limit}).verdict
    assert verdict.verdict == outcome and verdict.counts is not None and verdict.counts.unstored == 1


def test_a_declared_failure_meets_its_expectation(tmp_path: Path) -> None:
    """A scenario that expects lost_in_log exits 0 when exactly that fires, and 1 when nothing does."""
    expecting = {"expect": ["lost_in_log"]}
    shown = spoiled(tmp_path, drop("log", 5), **expecting).verdict
    assert (shown.verdict, shown.met, shown.exit_code) == ("FAIL", True, 0)
    nothing = spoiled(tmp_path, lambda h: None, **expecting).verdict
    assert (nothing.verdict, nothing.met, nothing.exit_code) == ("PASS", False, 1)


def test_more_than_was_declared_does_not_meet_the_expectation() -> None:
    """An expectation of checks is met by exactly those checks, on evidence that is not INVALID."""
    claim = {"count": 1, "n": 1, "claim": "", "measured": ""}
    a, b = (Check(name=name, verdict="FAIL", **claim) for name in "ab")
    c = Check(name="c", verdict="INVALID", **claim)
    assert meets(["a"], [a]) and meets(["a", "b"], [a, b]) and meets("invalid", [c])
    assert (
        not meets(["a"], [a, b])
        and not meets(["a"], [a, c])
        and not meets("pass", [a])
        and not meets("invalid", [a, c])
    )


def test_what_was_not_asked_is_no_pass(tmp_path: Path) -> None:
    """Objectives that are not declared, and claims without a case, read NOT_ASKED in JSON, on the screen and in the
    count, and leave the verdict as it is; what was asked and kept is a PASS."""
    verdict = healthy(tmp_path, scenario(objectives={"shed": 0})).run().verdict
    silent = {c.name for c in verdict.checks if c.verdict == "NOT_ASKED"}
    assert silent >= {"recovery_s", "ack_gap_s", "unstored", "fault_landed", "enough_sends", "alert_missing"}
    assert verdict.verdict == "PASS" and not silent & {"shed", "lost_in_log", "steady_state", "no_problems"}
    assert verdict.asked == len(verdict.checks) - len(silent) == msgspec.to_builtins(verdict)["asked"]
    count = f"{verdict.asked} of {len(verdict.checks)}"
    assert f"{count} checks asked, 0 fired" in panel(verdict) and f"{count} asked" in one_line(verdict)


def test_nothing_confirmed_is_not_nothing_lost(tmp_path: Path) -> None:
    """Where no reading was acknowledged, the number of lost ones is not 0: it was not asked."""
    verdict = healthy(tmp_path, scenario(clients={"acks": "0"})).run().verdict
    assert verdict.counts is not None and verdict.counts.lost_in_log is None and numbers(verdict)["lost"] == "not asked"


def test_an_expectation_is_not_met_by_what_was_not_asked() -> None:
    """A check that was not asked neither meets an expectation that names it, nor spoils another; with nothing asked at
    all the outcome is INVALID."""
    none = Check(name="a", verdict="NOT_ASKED", count=0, n=0, claim="", measured="")
    kept, fires = replace(none, name="b", verdict="PASS", n=1), replace(none, name="c", verdict="FAIL", count=1, n=1)
    assert not meets(["a"], [none, kept]) and meets("pass", [none, kept]) and meets(["c"], [none, fires])
    crashed = replace(none, verdict="INVALID")
    assert [check.answer for check in (none, kept, fires, crashed)] == [None, 0, 1, None]
    assert (worst(["NOT_ASKED", "PASS"]), worst(["NOT_ASKED"])) == ("PASS", "INVALID")


def test_a_check_that_raises_is_invalid(tmp_path: Path) -> None:
    """A crash of a check gives INVALID with the exception's words."""

    @check("nothing", "things")
    def broken(e: Evidence) -> Found:
        raise KeyError("gone")

    made = CHECKS.pop()(Evidence(healthy(tmp_path).run()))
    assert (made.name, made.verdict) == (broken.__name__, "INVALID") and "KeyError: 'gone'" in made.measured


def test_the_first_line_names_the_variant(tmp_path: Path) -> None:
    """A verdict on one of several scenarios of a name says which one, on one line and on its screen."""
    h = healthy(tmp_path)
    h.scenario = h.scenario.model_copy(update={"variant": "P6 repaired"})
    verdict, title = h.run().verdict, f"{h.scenario.name} P6 repaired "
    assert one_line(verdict).startswith(title) and panel(verdict).startswith(f"{title}{verdict.run_id}: PASS")


def test_witnesses_name_the_reading(tmp_path: Path) -> None:
    """A lost reading is named by sensor, seq and the place that its ack promised."""
    lost = check_of(spoiled(tmp_path, drop("log", 5)), "lost_in_log")
    assert [(w.sensor, w.seq, w.partition, w.offset) for w in lost.witnesses] == [("temperature-00003", 2, 0, 5)]


def test_a_seq_of_more_than_32_bits_stays_itself(tmp_path: Path) -> None:
    """A record whose seq is 2^32 above that of a reading is beyond the journal, not a copy of that reading."""
    assert fired(spoiled(tmp_path, lambda h: add_log(h, 0, 2**32 + 3))) == {"journal_whole": 1}


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """Loading what is no run says which file is missing."""
    with pytest.raises(UsageError, match=r"scenario\.json"):
        load(tmp_path)


def test_unknown_numbers_are_dense(tmp_path: Path) -> None:
    """A null of the journal is −1 in a frame, and hashes keep all their 64 bits."""
    history = healthy(tmp_path)
    answer(history, 0, "unknown")
    history["sends"].loc[1, "payload_hash"] = np.uint64(2**64 - 1)
    assert run_tables.stored("sends", history["sends"]).column("offset").null_count == 1
    sends = history.run().sends
    assert sends.loc[0, "t_ack_ns"] == -1 and int(sends.loc[1, "payload_hash"]) == 2**64 - 1
    assert history.run().workers["boot_id"].iloc[0] == BOOT
