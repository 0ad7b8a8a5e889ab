"""Each condition inside a check, with a history in which it alone decides.

`test_audit_table.py` has two histories for each check; here are those that only one of its conditions tells
apart. Each must fire exactly the checks and counts that stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.support.histories import History, S, at_ns, broker_loss, consumer_loss, healthy, network_partition, scenario
from tests.support.spoils import (
    Spoil,
    add_log,
    alert,
    answer,
    behind,
    blind_for,
    both,
    callback,
    check_of,
    dead_from,
    dead_letter,
    drop,
    fired,
    later,
    letter,
    link,
    lose,
    of_partition,
    poll,
    retention,
    set_cell,
    unread,
)


class Case(NamedTuple):
    """A spoil of a history, and all checks that it fires with their counts."""

    spoil: Spoil
    fires: dict[str, int]
    make: Callable[[Path], History] = healthy


def of_scenario(**changes: object) -> Callable[[Path], History]:
    return lambda folder: healthy(folder, scenario(**changes))


def when(table: str, from_s: float, until_s: float, column: str, value: object, **where: object) -> Spoil:
    """A column has this value in the rows of a time."""

    def spoil(h: History) -> None:
        hit = h[table]["t_ns"].between(at_ns(from_s), at_ns(until_s))
        for name, wanted in where.items():
            hit &= h[table][name] == wanted
        h[table].loc[hit, column] = value

    return spoil


def made_of(**facts: object) -> Spoil:
    return lambda h: h.made_of.update(facts)


def handed_over(h: History) -> None:
    """Partition 1 has a new owner epoch from 8 s on."""
    when("commits", 8, 99, "owner_epoch", 2, partition=1)(h)
    h["positions"].loc[1, "owner_epoch"] = 2


def unnoted(*epochs: int, last: int = 1) -> Spoil:
    """The last transactions of partition 1 in these owner epochs are not noted."""

    def spoil(h: History) -> None:
        for epoch in epochs:
            mine = h["commits"].query(f"partition == 1 and owner_epoch == {epoch}").sort_values("t_ns")
            h["commits"] = h["commits"].drop(index=mine.index[-last:])

    return spoil


def read_elsewhere(h: History) -> None:
    """Partition 0 has, in one poll of another assignment, the offsets of a hole of two polls in partition 1."""
    mine = h["commits"].query("partition == 1 and owner_epoch == 1").sort_values("t_ns").tail(2)
    first, last = int(mine["from_offset"].min()), int(mine["to_offset"].max()) - 1
    log = h["log"][(h["log"]["partition"] == 0) & h["log"]["offset"].between(first, last)]
    h.add("reads", worker="processor-1", t_ns=at_ns(11.95), partition=0, first_offset=first, last_offset=last,
          count=len(log), hash_sum=log["payload_hash"].sum(), rebalance_no=9)  # fmt: skip


def terminated(h: History) -> None:
    """What was killed was terminated."""
    h["faults"]["kind"] = "terminate"
    faults = tuple(fault.model_copy(update={"kind": "terminate"}) for fault in h.scenario.faults)
    h.scenario = h.scenario.model_copy(update={"faults": faults})


def overtaken(h: History) -> None:
    """The last transaction but one of the old owner goes on into the range of the new one."""
    mine = h["commits"].query("partition == 1 and owner_epoch == 1").sort_values("t_ns").index[-2:]
    end = int(h["commits"].loc[mine[1], "to_offset"]) + 1
    h["commits"].loc[mine[0], "to_offset"] = end
    h["commits"].loc[mine[0], "rows"] = end - h["commits"].loc[mine[0], "from_offset"]


def repeated(h: History) -> None:
    """The last record of partition 0 was read once more."""
    last = h["log"][h["log"]["partition"] == 0].iloc[-1]
    h.add("reads", worker="processor-0", t_ns=at_ns(11.95), partition=0, first_offset=last.offset,
          last_offset=last.offset, count=1, hash_sum=last.payload_hash, rebalance_no=1)  # fmt: skip


def poll_at_the_edge(first: int, last: int) -> Spoil:
    """Another assignment has a poll of one record that the log does not have; of its range the log has another one."""
    return lambda h: h.add("reads", worker="processor-1", t_ns=at_ns(11.95), partition=0, first_offset=first,
                           last_offset=last, count=1, hash_sum=np.uint64(1), rebalance_no=2)  # fmt: skip


def last_row(column: str, value: object) -> Spoil:
    return lambda h: h["rows"].loc.__setitem__((h["rows"].index[-1], column), value)


def of_the_last_partition(**columns: object) -> Spoil:
    """What the last sample of partition 1 says."""

    def spoil(h: History) -> None:
        index = h["partitions"][h["partitions"]["partition"] == 1]["t_ns"].idxmax()
        for name, value in columns.items():
            h["partitions"].at[index, name] = value

    return spoil


def offered_before(from_s: float, until_s: float) -> Spoil:
    """Two of three readings of a time were due before it."""

    def spoil(h: History) -> None:
        hit = h["sends"]["t_ns"].between(at_ns(from_s), at_ns(until_s)) & (h["sends"].index % 3 != 0)
        h["sends"].loc[hit, "t_intended_ns"] = at_ns(from_s) - 1

    return spoil


def heard_late(percent: int) -> Spoil:
    """So many of all acknowledgements came to be known a second later, when the readings were stored."""

    def spoil(h: History) -> None:
        h["sends"].loc[h["sends"].index % 100 < percent, "t_ack_ns"] += S

    return spoil


def halved_at(second: float) -> Spoil:
    """From this second of the steady state on half of the readings were offered before it began."""

    def spoil(h: History) -> None:
        hit = h["sends"]["t_ns"].between(at_ns(second), at_ns(6)) & (h["sends"].index % 2 == 0)
        h["sends"].loc[hit, "t_ns"] = at_ns(0) - 1

    return spoil


def every_third_look_missing(h: History) -> None:
    ticks = np.sort(h["processes"]["t_ns"].unique())
    h["processes"] = h["processes"][~h["processes"]["t_ns"].isin(ticks[::3])]


def without(table: str, from_s: float, until_s: float) -> Spoil:
    return lambda h: h.__setitem__(table, h[table][~h[table]["t_ns"].between(at_ns(from_s), at_ns(until_s))])


def emptied(h: History) -> None:
    """Retention took all of partition 0 after it was stored."""
    h["log"] = h["log"][h["log"]["partition"] != 0].reset_index(drop=True)
    h["frozen"].loc[0, "start"] = h["frozen"].loc[0, "end"]


def alerts(seq: int, *sinks: str) -> Spoil:
    return lambda h: [alert(h, sink, seq) for sink in sinks]


def refusing_database(folder: Path) -> History:
    """The database refuses everybody from 6 s to 12 s, as the probe heard."""
    made = scenario(faults=[{"kind": "refuse", "target": "database", "hold_s": 6}])
    h = healthy(folder, made)
    h.fault("database", 6, 12, kind="refuse", target="database")
    ticks = np.arange(at_ns(-2), at_ns(18), S // 2)
    h.add("database", worker="probe", t_ns=ticks, answer="ok")
    when("database", 6, 12, "answer", "refused")(h)
    return h


def followers_cut(folder: Path) -> History:
    """One fault cuts both followers of partition 0 from all brokers, and so from each other."""
    h = network_partition(folder, "followers:0", "broker-2")
    h.fault("broker-3", 6, 12, kind="partition", target="followers:0")
    for source, target in (("broker-1", "broker-3"), ("broker-3", "broker-1")):
        link(source, target, 6, 12, ok=False)(h)
    return h


def second_follower_late(h: History) -> None:
    """The cut of broker 3 was seen two seconds after that of broker 2, and its links to the leader broke then."""
    later("faults", 2, node="broker-3", step="evidence")(h)
    for source, target in (("broker-1", "broker-3"), ("broker-3", "broker-1")):
        link(source, target, 6, 7.5, ok=True)(h)


def paused_before(h: History) -> None:
    """Broker 1 was under another fault before it was cut."""
    pause = h.scenario.faults[0].model_copy(update={"kind": "pause", "target": "broker:1", "hold_s": 1})
    h.scenario = h.scenario.model_copy(update={"faults": (*h.scenario.faults, pause)})
    h.fault("broker-1", 3, 4, kind="pause", number=1)


def moved(h: History) -> None:
    """The last reading of sensor 4 is the last of partition 0, and not of partition 1."""
    for table in ("sends", "log", "rows"):
        row = at(h, table, 1, 399)
        h[table].loc[row, ["partition", "offset"]] = [0, 400]
    h["frozen"]["end"] = [401, 399, 400]


def at(h: History, table: str, partition: int, offset: int) -> int:
    """The row of a table that is about this place."""
    frame = h[table]
    return int(frame.index[(frame["partition"] == partition) & (frame["offset"] == offset)][0])


RUNS: dict[str, Case] = {
    "a journal that begins before its manifest is of another run": Case(
        made_of(started_wall_ns=at_ns(-5)), {"one_run": 1}),
    "a schema of another run": Case(made_of(db_schema="factory_abcdef"), {"one_run": 1}),
    "a group of another run": Case(made_of(group="processors-abcdef"), {"one_run": 1}),
    "a row from before the run": Case(
        set_cell("members", 0, "t_ns", at_ns(-60)), {"one_run": 1, "run_times": 1}),
    "acks that an override declares are the declared ones": Case(
        made_of(producer={"acks": "1"}), {}, of_scenario(clients={"producer": {"acks": "1"}})),
    "acks=-1 is another word for all": Case(
        made_of(producer={"acks": "all"}), {}, of_scenario(clients={"producer": {"acks": "-1"}})),
}  # fmt: skip

COMMITS: dict[str, Case] = {
    "a gap between polls of one partition excuses no poll of another": Case(
        both(of_partition("reads", lambda r: r.index[:1]), drop("reads", 1)), {"skipped": 3, "commits_whole": 1}),
    "a gap between later polls excuses no earlier one": Case(
        of_partition("reads", lambda r: r.index[[0, 9]]), {"skipped": 4, "commits_whole": 1}),
    "a gap between earlier polls excuses no later one": Case(
        of_partition("reads", lambda r: r.index[[9, -1]]), {"skipped": 4, "commits_whole": 1}),
    "an alert that three sinks tell is one": Case(
        both(alerts(3, "table", "topic", "replay"), set_cell("commits", 9, "alerts", 2)), {"commits_whole": 1}),
    "a killed owner leaves one poll without a note, not two": Case(
        unnoted(1, last=2), {"commits_whole": 1}, consumer_loss),
    "a poll of another partition does not fill a hole": Case(
        both(read_elsewhere, unnoted(1, last=2)), {"commits_whole": 1}, consumer_loss),
    "a hole between owners of whom none was ended": Case(both(handed_over, unnoted(1)), {"commits_whole": 1}),
    "one processor that was killed excuses one hole": Case(unnoted(1, 2), {"commits_whole": 1}, consumer_loss),
    "a processor that died may have left one too": Case(
        both(unnoted(1, 2), made_of(workers_died=["processor-0"])), {"died_unasked": 1}, consumer_loss),
    "so may a batch of which the store gave no answer": Case(
        both(handed_over, unnoted(1),
             lambda h: h.add("events", t_ns=at_ns(8), process="processor-1", event="batch_failed", detail="")), {}),
    "so may a processor that was terminated": Case(both(unnoted(1), terminated), {}, consumer_loss),
    "a broker that was killed leaves none": Case(
        both(handed_over, unnoted(1)), {"commits_whole": 1}, broker_loss),
    "a position of the owner before the last one": Case(
        both(handed_over, set_cell("positions", 1, "owner_epoch", 1)), {"commits_whole": 1}),
    "a naive processor may pass over offsets": Case(
        drop("commits", 9), {}, of_scenario(clients={"processor": "naive"})),
}  # fmt: skip

PLACES: dict[str, Case] = {
    "a sensor that moves to another partition is not out of order": Case(moved, {}),
    "a stored place below the log's start holds nothing any more": Case(
        both(lambda h: answer(h, 0, "unknown"), lambda h: retention(h, stored=True)), {}),
    "a stored place at the log's start that holds nothing": Case(
        lambda h: [answer(h, 0, "unknown"), lose(h, 0, "log")], {"inconsistent_offset": 1, "final_read": 1}),
    "what is gone with a reading of whose place only the store knows is a loss": Case(
        both(set_cell("sends", 6, "offset", -1), lambda h: lose(h, 6, "log")), {"lost_in_log": 1}),
    "what is gone with a reading of whose place only its acknowledgement knows is a loss": Case(
        lambda h: lose(h, 6), {"lost_in_log": 1}),
    "a poll beyond the log's end saw what is there no more": Case(poll_at_the_edge(399, 400), {}),
    "a poll below the log's start saw what is there no more": Case(
        both(lambda h: retention(h, stored=True), poll_at_the_edge(3, 4)), {}),
    "a dead letter with another payload": Case(
        both(lambda h: dead_letter(h, 6), set_cell("dead_letters", 0, "payload_hash", np.uint64(1))), {"corrupt": 1}),
    "a value is compared with its own reading's": Case(
        both(set_cell("rows", 6, "offset", 0), set_cell("rows", 6, "value", 20.5)), {"inconsistent_offset": 1}),
    "a value is compared with one that is there": Case(
        both(last_row("offset", 10**6), last_row("value", 20.5)), {"inconsistent_offset": 1}),
    "a value that nobody sent is a phantom's": Case(
        lambda h: [add_log(h, -1, 0), h.add("rows", sensor=-1, seq=0, partition=0, offset=400, value=20.5)],
        {"phantom": 2}),
    "a row without a number was not sent so": Case(
        both(set_cell("log", 6, "value", np.nan), set_cell("rows", 6, "value", np.nan)), {"corrupt": 1}),
    "a time or a further measure is compared as well": Case(
        set_cell("rows", 6, "measures_hash", np.uint64(1)), {"corrupt": 1}),
}  # fmt: skip

PROCESSORS: dict[str, Case] = {
    "one worker reads again under a new assignment": Case(lambda h: poll(h, "processor-0", 2), {}),
    "two workers count their assignments alike": Case(lambda h: poll(h, "processor-1", 1), {}),
    "a poll of the last record once more goes back": Case(repeated, {"rewound": 1}),
    "an older owner that writes after a newer one, beyond it": Case(
        when("commits", 9.95, 99, "owner_epoch", 0, partition=0), {"zombie_write": 1}),
    "a range that goes beyond the next ones overlaps a later owner's too": Case(
        both(handed_over, overtaken), {"zombie_write": 1, "commits_whole": 2}),
    "a partition given away before its owner was asked": Case(
        later("group", -0.2, worker="processor-1", event="assigned"), {"two_owners": 1}, consumer_loss),
    "a partition given away the moment it is given up": Case(later("group", 0.01, event="revoked"), {}, consumer_loss),
    "an owner that died gave up what it had": Case(
        both(lambda h: callback(h, "processor-1", 3, "assigned"), made_of(workers_died=["processor-0"])),
        {"died_unasked": 1}),
}  # fmt: skip

ALERTS: dict[str, Case] = {
    "an alert of a reading that is nowhere": Case(
        both(lambda h: answer(h, 12, "unknown"), lambda h: lose(h, 12), alerts(2, "topic")), {"alert_spurious": 1}),
    "a stored alert whose reading is a dead letter": Case(
        both(lambda h: dead_letter(h, 6), alerts(3, "table", "topic", "replay")), {"alert_spurious": 1}),
    "a stored alert of no reading is nothing that the pass could judge": Case(
        alerts(10**6, "table", "topic"), {"alert_spurious": 1}),
    "what the log lost may have changed later alerts": Case(
        both(drop("log", 6), alerts(30, "replay")), {"lost_in_log": 1}),
    "what was passed over may have changed later alerts": Case(
        both(lambda h: unread(h, 6), alerts(30, "replay")), {"lost_in_pipeline": 1, "skipped": 1}),
    "a dead letter is no excuse for later alerts": Case(
        both(lambda h: dead_letter(h, 6), alerts(30, "replay")), {"alert_differs": 1}),
    "a history from before there was a pass has none": Case(
        both(alerts(3, "table", "topic"), made_of(schema_version=2)), {}),
}  # fmt: skip

EVIDENCE: dict[str, Case] = {
    "a journal whose wall clock is off": Case(set_cell("workers", 2, "wall_ns", at_ns(-9)), {"one_clock": 1}),
    "a run without its fault window": Case(
        lambda h: h.__setitem__("phases", h["phases"].query("phase != 'fault_window'")),
        {"complete": 1}, broker_loss),
    "a final read that begins too late": Case(drop("log", 0), {"lost_in_log": 1, "final_read": 1}),
    "a partition of which retention left nothing": Case(emptied, {}),
    "a probe that began late": Case(blind_for(-3, 0.2), {"probe_alive": 1, "probe_saw": 8}),
    "a probe that ended early": Case(blind_for(8.9, 99), {"probe_alive": 1, "probe_saw": 8}),
    "a probe that looked too rarely": Case(every_third_look_missing, {"probe_alive": 1}),
    "the rate is the declared one until the next is": Case(
        both(halved_at(3), lambda h: h.add("stages", worker="fleet-0", t_ns=at_ns(3), rate_per_s=50)),
        {"kept_rate": 1, "reading_times": 155}),
    "a lag that nobody saw is not steady": Case(
        without("lag", 0, 6), {"probe_alive": 4, "probe_saw": 3, "steady_state": 1}),
    "too few readings while a fault was held": Case(
        offered_before(6, 12), {"enough_sends": 1, "kept_rate": 1, "reading_times": 797}, broker_loss),
    "most acknowledgements were heard after the commit": Case(heard_late(60), {"reading_times": 1}),
    "a few acknowledgements were heard after the commit": Case(heard_late(40), {}),
    "a fault without an end has no window": Case(
        lambda h: h.__setitem__("faults", h["faults"].query("step != 'healed'")), {"healed": 1}, broker_loss),
    "the end of a partition without a leader": Case(of_the_last_partition(leader=-1), {"healed": 1}),
    "a last sample that says nothing": Case(of_the_last_partition(valid=False, isr=[]), {}),
    "a partition that was never seen": Case(
        lambda h: h.__setitem__("partitions", h["partitions"].query("partition != 2")),
        {"probe_alive": 2, "probe_saw": 2, "healed": 1}),
    "a processor that was stopped after the drain": Case(
        lambda h: h.add("processes", worker="probe", t_ns=at_ns(12), name="processor-0", pid=7, status="dead",
                        cpu_s=0.0, rss_bytes=0), {}),
}  # fmt: skip

FAULTS: dict[str, Case] = {
    "another node was dead than the victim": Case(
        both(lambda h: h["processes"].__setitem__("status", "running"), dead_from("broker-2", 7)),
        {"fault_landed": 1, "died_unasked": 1}, broker_loss),
    "the victim was dead at another time": Case(
        both(lambda h: h["processes"].__setitem__("status", "running"), dead_from("broker-1", 3)),
        {"fault_landed": 1, "died_unasked": 1}, broker_loss),
    "the victim was dead once more after it was healed": Case(
        dead_from("broker-1", 13), {"died_unasked": 1}, broker_loss),
    "a victim that was stopped just before it was killed": Case(
        both(*(later("faults", 0.4, step=step) for step in ("injected", "evidence")),
             when("processes", 6, 6.3, "status", "paused", name="broker-1")), {}, broker_loss),
    "a victim that stood still before it was to be killed": Case(
        when("processes", 5.5, 5.9, "status", "paused", name="broker-1"), {"undisturbed": 1}, broker_loss),
    "a database that refused everybody": Case(lambda h: None, {}, refusing_database),
    "a database that refused at another time": Case(
        both(when("database", -2, 99, "answer", "ok"), when("database", 2, 3, "answer", "refused")),
        {"fault_landed": 1}, refusing_database),
    "a database that was away before any fault": Case(
        when("database", 0, 5.9, "answer", "none"), {"undisturbed": 1}, refusing_database),
    "a database that was full and not refusing": Case(
        when("database", 6, 12, "answer", "full"), {"fault_landed": 1}, refusing_database),
    "a database that still refuses when the drain begins": Case(
        when("database", 17, 19, "answer", "refused"), {"healed": 1}, refusing_database),
    "a database that refuses after the drain": Case(
        when("database", 17.1, 18, "answer", "refused"), {}, refusing_database),
    "a processor that was seen dead before the warm-up": Case(
        when("processes", -3, -2.05, "status", "dead", name="processor-1"), {}),
    "a processor that was seen dead when all was sent": Case(
        when("processes", 10.1, 10.5, "status", "dead", name="processor-1"), {}),
    "a worker of the lab's own that was seen dead": Case(
        lambda h: h.add("processes", worker="probe", t_ns=at_ns(3), name="probe", pid=7, status="dead", cpu_s=0.0,
                        rss_bytes=0), {}),
}  # fmt: skip

LOSSES: dict[str, Case] = {
    "what was not acknowledged does not expire": Case(
        both(set_cell("sends", 0, "outcome", "unknown"), set_cell("sends", 0, "t_ack_ns", -1),
             lambda h: retention(h, stored=False)), {"expired": 3, "journal_whole": 1}),
    "what lies in the log a second time did not expire": Case(
        lambda h: [add_log(h, 0, 0, h["log"].loc[0, "payload_hash"]), retention(h, stored=False)],
        {"expired": 3, "not_drained": 1, "reordered_in_log": 1}),
    "what was acknowledged at the log's start and is not there is lost": Case(
        both(lambda h: retention(h, stored=True), lambda h: lose(h, 12, "log")), {"lost_in_log": 1, "final_read": 1}),
    "what retention took of a place that only the store knows is no loss": Case(
        both(set_cell("sends", 0, "offset", -1), lambda h: retention(h, stored=True)), {}),
    "what retention took of a place that nobody knows may be a loss": Case(
        both(set_cell("sends", 0, "offset", -1), lambda h: retention(h, stored=False)),
        {"expired": 3, "lost_in_log": 1}),
    "a place that its acknowledgement tells is not taken from the store": Case(
        both(lambda h: lose(h, 18, "log"), set_cell("rows", 6, "offset", 0), lambda h: retention(h, stored=True)),
        {"lost_in_log": 1}),
    "a dead letter whose record expired since is no loss": Case(
        both(lambda h: letter(h, 0), lambda h: retention(h, stored=False)), {"expired": 3}),
    "a dead letter of the place that was wrongly acknowledged is another record's": Case(
        lambda h: [set_cell("sends", 6, "offset", 0)(h), unread(h, 2), dead_letter(h, 0)],
        {"lost_in_pipeline": 1, "inconsistent_offset": 1, "skipped": 1}),
    "what was never acknowledged may be passed over": Case(
        both(lambda h: answer(h, 12, "unknown"), lambda h: lose(h, 12, "rows")), {}),
    "what is stored beyond the position is stored": Case(set_cell("positions", 0, "next_offset", 380), {}),
    "a dead letter beyond the position is dealt with": Case(
        lambda h: [letter(h, at(h, "log", 0, 395)), behind(h)], {"not_drained": 9}),
    "what was never acknowledged may be ahead of the store": Case(
        lambda h: [answer(h, at(h, "sends", 0, 395), "unknown"), behind(h)], {"not_drained": 9}),
}  # fmt: skip

LINKS: dict[str, Case] = {
    "a link may be open until the injector saw it broken": Case(
        both(later("faults", 1.5, step="evidence"), link("broker-1", "broker-2", 6, 7.4, ok=True)),
        {}, network_partition),
    "a client's link to the broker that is cut off from brokers only": Case(
        link("host", "broker-1", 6, 12, ok=False), {"fault_landed": 1}, network_partition),
    "a link that was broken before any fault": Case(
        link("broker-2", "broker-3", 0, 5.9, ok=False), {"undisturbed": 1}, network_partition),
    "a link that was broken less often than not before any fault": Case(
        link("broker-2", "broker-3", 0, 2, ok=False), {}, network_partition),
    "a link that broke after the drain": Case(
        lambda h: h.add("reach", worker="probe", t_ns=at_ns(17.9), source="broker-3", target="broker-1", ok=False),
        {}, network_partition),
    "the evidence of an earlier fault on the same node": Case(
        paused_before, {"run_times": 5, "fault_times": 1}, network_partition),
    "a cut of two nodes breaks the links of both": Case(lambda h: None, {}, followers_cut),
    "a client's link to one of two nodes that are cut off, as the window of either tells": Case(
        link("host", "broker-3", 6, 12, ok=False), {"fault_landed": 2}, followers_cut),
    "the evidence of the same fault on another node": Case(second_follower_late, {}, followers_cut),
}  # fmt: skip

CASES = RUNS | COMMITS | PLACES | PROCESSORS | ALERTS | EVIDENCE | FAULTS | LOSSES | LINKS


@pytest.mark.parametrize("claim", CASES)
def test_one_condition_decides(tmp_path: Path, claim: str) -> None:
    """The history fires exactly what stands beside it, and so would not if one condition were dropped."""
    case = CASES[claim]
    history = case.make(tmp_path)
    case.spoil(history)
    assert fired(history.run()) == case.fires


def test_values_that_were_not_recorded_are_not_said_to_be_right(tmp_path: Path) -> None:
    """Of a run without the log's values the check counts no row as compared, and says so."""
    found = {}
    for version in (3, 4):
        history = healthy(tmp_path / str(version))
        history.made_of["schema_version"] = version
        found[version] = check_of(history.run(), "corrupt")
    assert found[4].n - found[3].n == len(history["rows"])
    assert "not compared" in found[3].measured and "not compared" not in found[4].measured


def test_a_run_that_failed_is_a_problem_of_the_lab(tmp_path: Path) -> None:
    """A run that left the reason of its failure in raw/ proves nothing, and the check gives that reason."""
    run = healthy(tmp_path).run()
    (run.folder.raw / "failed.txt").write_text("no broker answered\n", encoding="utf-8")
    problem = check_of(run, "no_problems")
    assert (problem.verdict, problem.count) == ("INVALID", 1) and problem.measured.endswith("no broker answered")


def test_a_run_that_was_cut_short_is_no_other_run(tmp_path: Path) -> None:
    """Where the phases end before the rows do, nobody knows the run's end: its rows are not said to be of another."""
    history = healthy(tmp_path)
    history["phases"] = history["phases"].query(f"t_ns <= {at_ns(0)}")
    assert check_of(history.run(), "one_run").verdict == "PASS"
