"""Of every check: a history that breaks its claim, and one that almost does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from factorylab.history.tables import ANSWERED_OK, SENT
from tests.support.histories import History, S, at_ns, broker_loss, consumer_loss, healthy, sampled, scenario
from tests.support.share_histories import again, moved, redelivered, share_group, unsaid, unstored, worker_loss
from tests.support.spoils import (
    Spoil,
    add_log,
    alert,
    answer,
    behind,
    blind,
    blind_for,
    both,
    callback,
    commit,
    dead_from,
    dead_letter,
    drop,
    invalid,
    lag_grows,
    later,
    letter,
    lose,
    not_in_sync,
    poll,
    retention,
    set_cell,
    thin_after,
    unread,
)
from tests.support.transaction_histories import ALERTED, left_open, once_more, refused, transactional, uncommitted


class Pair(NamedTuple):
    """Two spoils of one kind of history: what breaks the claim, and what almost does."""

    breaks: Spoil
    almost: Spoil
    make: Callable[[Path], History] = healthy


def swapped(sensor: int, seq: int) -> Spoil:
    """Two successive readings of one sensor have each other's place, wherever they were written."""

    def spoil(h: History) -> None:
        for table, columns in (("sends", ["offset"]), ("log", ["seq", "payload_hash"]), ("rows", ["seq"])):
            frame = h[table]
            one, two = ((frame["sensor"] == sensor) & (frame["seq"] == s) for s in (seq, seq + 1))
            for column in columns:
                a, b = (frame.loc[mask, column].to_numpy() for mask in (one, two))
                frame.loc[one, column], frame.loc[two, column] = b, a

    return spoil


def fault_step(step: str, *, to: str) -> Spoil:
    return lambda h: h["faults"].__setitem__("step", h["faults"]["step"].replace(step, to))


def phase(name: str, *, later_s: float) -> Spoil:
    """The wall clock at the beginning of a phase, put forward."""

    def spoil(h: History) -> None:
        hit = h["phases"]["phase"] == name
        h["phases"].loc[hit, "wall_ns"] += round(later_s * S)

    return spoil


def one_of_three_missing(h: History) -> None:
    """After the fault a third fewer readings are offered than declared."""
    keep = (h["sends"]["t_ns"] < at_ns(12)) | (h["sends"].index % 3 != 0)
    for table in ("sends", "log", "rows"):
        h[table] = h[table].merge(h["sends"].loc[keep, ["sensor", "seq"]], on=["sensor", "seq"])


def slower(share: float) -> Spoil:
    """So much of the readings of the first second was offered before the steady state began."""

    def spoil(h: History) -> None:
        rows = h["sends"]
        early = rows["t_ns"].between(at_ns(0), at_ns(6 * share))
        rows.loc[early, "t_ns"] = at_ns(0) - 1

    return spoil


def with_objectives(**objectives: float) -> Callable[[Path], History]:
    return lambda folder: broker_loss(folder, objectives=objectives)


def counted(**objectives: float) -> Callable[[Path], History]:
    return lambda folder: healthy(folder, scenario(objectives=objectives))


def never_sent(*rows: int) -> Spoil:
    """These readings were refused by the full queue, and are nowhere."""
    return lambda h: [step(h, row) for row in rows for step in (lambda h, r: answer(h, r, "shed"), lose)]


def not_offered(*rows: int) -> Spoil:
    """These readings were due and never handed to the producer: they are nowhere."""

    def spoil(h: History) -> None:
        for row in rows:
            answer(h, row, "not_offered")
        gone = h["sends"].loc[list(rows), ["sensor", "seq"]].assign(gone=True)
        for table in ("log", "rows"):
            marked = h[table].merge(gone, on=["sensor", "seq"], how="left")
            h[table] = marked[marked["gone"].isna()].drop(columns="gone")

    return spoil


def stepped(folder: Path) -> History:
    """A run with one step, at the rate before it, which is promised to be kept."""
    load = {"rate_per_s": 100, "sensors": 6, "steps_per_s": [100], "step_s": 6}
    h = healthy(folder, scenario(workload=load, objectives={"kept_per_s": 100}))
    h.add("stages", worker="fleet-0", t_ns=[at_ns(6), at_ns(12)], rate_per_s=100.0)
    return h


def store_falls_behind(h: History) -> None:
    """From the step on the store needs half as long again."""
    h["commits"]["t_ns"] += (h["commits"]["t_ns"] - at_ns(6)).clip(lower=0) // 2


def nothing(h: History) -> None:
    """A whole history."""


def two_acks(h: History) -> None:
    """An acknowledgement without an offset says nothing of the place."""
    set_cell("sends", 6, "offset", -1)(h)


def late_healing(h: History) -> None:
    """Healed, and in sync again only in the last sample but one."""
    last = sorted(h["partitions"]["t_ns"].unique())[-2]
    h["partitions"]["isr"] = [
        isr[:1] if t < last and t > at_ns(12) else isr
        for isr, t in zip(h["partitions"]["isr"], h["partitions"]["t_ns"], strict=True)
    ]


def unnoted(h: History) -> None:
    """The owner of partition 1 was killed before it could note its last transaction."""
    mine = h["commits"].query("partition == 1 and owner_epoch == 1")
    h["commits"] = h["commits"].drop(index=[mine["t_ns"].idxmax()])


def when_running(h: History, node: str, from_s: float, column: str, value: object) -> None:
    """What the probe saw of a process from some second on."""
    rows = h["processes"]
    rows.loc[(rows["name"] == node) & (rows["t_ns"] > at_ns(from_s)), column] = value


TABLE: dict[str, Pair] = {
    "lost_in_log": Pair(drop("log", 5), both(lambda h: answer(h, 15, "unknown"), lambda h: lose(h, 15))),
    "expired": Pair(lambda h: retention(h, stored=False), lambda h: retention(h, stored=True)),
    "lost_in_pipeline": Pair(lambda h: unread(h, 7), lambda h: dead_letter(h, 7)),
    "not_drained": Pair(behind, set_cell("positions", 0, "next_offset", 10_000)),
    "phantom": Pair(lambda h: add_log(h, -1, 0), lambda h: answer(h, 12, "unknown")),
    "duplicate_in_log": Pair(lambda h: add_log(h, 0, 3), lambda h: add_log(h, 0, 10_000)),
    "duplicate_in_store": Pair(
        lambda h: h.add("rows", sensor=0, seq=3, partition=0, offset=6, value=20.0), drop("rows", 6)),
    "reordered_in_log": Pair(swapped(0, 5), lambda h: add_log(h, 0, 3)),
    "inconsistent_offset": Pair(set_cell("sends", 6, "offset", 0), two_acks),
    "dead_and_stored": Pair(lambda h: letter(h, 7), lambda h: dead_letter(h, 7)),
    "corrupt": Pair(set_cell("log", 4, "payload_hash", np.uint64(1)), lambda h: add_log(h, -1, 3, 7)),
    "skipped": Pair(drop("reads", 9), lambda h: poll(h, "processor-1", 2)),
    "rewound": Pair(lambda h: poll(h, "processor-0", 1), lambda h: poll(h, "processor-1", 2)),
    "zombie_write": Pair(lambda h: commit(h, 0, refused=False), lambda h: commit(h, 0, refused=True)),
    "two_owners": Pair(
        lambda h: callback(h, "processor-1", 3, "assigned"),
        lambda h: [callback(h, *what) for what in (("processor-1", 3, "assigned"), ("processor-0", 4, "lost"))]),
    "duplicate_alert": Pair(
        lambda h: [alert(h, sink, 3) for sink in ("table", "table", "topic")],
        lambda h: [alert(h, sink, 3) for sink in ("table", "topic", "topic")]),
    "alert_missing": Pair(lambda h: alert(h, "table", 3), lambda h: [alert(h, s, 3) for s in ("topic", "table")]),
    "alert_spurious": Pair(
        lambda h: alert(h, "topic", 3),
        both(behind, lambda h: alert(h, "topic", 199))),
    "alert_differs": Pair(
        lambda h: alert(h, "replay", 3),
        both(behind, lambda h: alert(h, "replay", 199))),
    "recovery_s": Pair(nothing, set_cell("faults", 0, "evidence", "x"), with_objectives(recovery_s=2)),
    "ack_gap_s": Pair(nothing, set_cell("faults", 0, "evidence", "x"), with_objectives(ack_gap_s=2)),
    "latency_p99_s": Pair(nothing, set_cell("faults", 0, "evidence", "x"), with_objectives(latency_p99_s=0.5)),
    "shed": Pair(never_sent(15, 16), never_sent(15), counted(shed=1)),
    "unstored": Pair(never_sent(15, 16), never_sent(15), counted(unstored=1)),
    "kept_per_s": Pair(store_falls_behind, nothing, stepped),
    "kept_rate": Pair(not_offered(*range(300, 360)), not_offered(*range(300, 340))),
    "seal": Pair(nothing, nothing),
    "tables": Pair(lambda h: h.absent.add("reads"), lambda h: h.__setitem__("group", h["group"].head(0))),
    "one_clock": Pair(phase("drain", later_s=0.2), phase("drain", later_s=0.05)),
    "complete": Pair(lambda h: h.__setitem__("phases", h["phases"].iloc[:-1]), nothing),
    "no_problems": Pair(
        lambda h: h.made_of.update(workers_died=["probe"]), lambda h: h.made_of.update(workers_died=["processor-1"])),
    "journal_whole": Pair(
        lambda h: h.__setitem__("sends", h["sends"].iloc[:-3]), lambda h: answer(h, 12, "unknown")),
    "final_read": Pair(
        lambda h: h["frozen"].__setitem__("end", h["frozen"]["end"] + 1), drop("log", 5)),
    "cross_read": Pair(
        lambda h: h.__setitem__("cross_reads", sampled(h["log"].drop(index=5), h["frozen"])), drop("log", 5)),
    "probe_alive": Pair(blind, blind_for(6.5, 8.2), broker_loss),
    "probe_saw": Pair(invalid("partitions", 6, 13, 1), invalid("partitions", 6, 9, 0), broker_loss),
    "steady_state": Pair(lag_grows, slower(0.04)),
    "fault_landed": Pair(
        lambda h: h["processes"].__setitem__("status", "running"), fault_step("intended", to="intended"), broker_loss),
    "enough_sends": Pair(thin_after, one_of_three_missing, broker_loss),
    "healed": Pair(not_in_sync, late_healing, broker_loss),
    "one_run": Pair(
        lambda h: h.made_of.update(topics={"sensor-data": "sensor-data-abcdef"}),
        lambda h: h.made_of.update(run_id="abcdef", topics={"sensor-data": "sensor-data-abcdef"})),
    "commits_whole": Pair(drop("commits", 9), unnoted, consumer_loss),
    "reading_times": Pair(
        later("sends", -0.001, sensor=1), lambda h: h["sends"].__setitem__("t_ns", h["sends"]["t_ns"] + S // 1000)),
    "work_times": Pair(later("commits", -0.03, partition=1), later("commits", -0.02, partition=1)),
    "run_times": Pair(later("faults", -0.1, step="evidence"), later("faults", 0.1, step="evidence"), broker_loss),
    "fault_times": Pair(
        both(*(later("faults", 2.6, step=step) for step in ("healing", "healed"))),
        both(*(later("faults", 1.5, step=step) for step in ("healing", "healed"))), broker_loss),
    "known_names": Pair(set_cell("reads", 9, "worker", "processor-9"), set_cell("reads", 9, "worker", "processor-0")),
    "work_agrees": Pair(set_cell("reads", 9, "worker", "processor-1"), later("group", 0.4)),
    "samples_agree": Pair(drop("lag", 9), not_in_sync),
    "epochs_agree": Pair(
        set_cell("epochs", 0, "epoch", 5), lambda h: h["epochs"].__setitem__("epoch", -1), broker_loss),
    "undisturbed": Pair(
        lambda h: when_running(h, "database", 3, "pid", 8), lambda h: when_running(h, "broker-1", 6, "pid", 8),
        broker_loss),
    "died_unasked": Pair(dead_from("broker-2", 3), nothing, broker_loss),
    "accepted_unstored": Pair(
        unstored(0, 5), both(unstored(0, 5), unsaid(0, 5, SENT, ANSWERED_OK)), share_group),
    "archived_unstored": Pair(
        both(unstored(0, 5), unsaid(0, 5, SENT, ANSWERED_OK)), unsaid(0, 5, SENT, ANSWERED_OK), share_group),
    "redelivered_after_accept": Pair(
        again(0, 5, at_s=4, count=2), both(unsaid(0, 5, ANSWERED_OK), again(0, 5, at_s=4, count=2)), share_group),
    "delivery_counts": Pair(moved(0, 5, 30, count=3), moved(0, 5, 30), share_group),
    "two_holders": Pair(moved(0, 5, 20), moved(0, 5, 30), share_group),
    "redelivered_late": Pair(redelivered(52), redelivered(49), worker_loss),
    "share_journals": Pair(unsaid(0, 5, SENT), unsaid(0, 5, SENT, ANSWERED_OK), share_group),
    "alert_not_once": Pair(once_more(ALERTED[0]), refused("_FENCED"), transactional),
    "committed_twice": Pair(once_more(ALERTED[0]), refused("_FENCED"), transactional),
    "stable_looks": Pair(set_cell("stable", 9, "stable", 5), left_open(2.0, 5.0), transactional),
    "transactions_whole": Pair(uncommitted(ALERTED[0]), refused("_FENCED"), transactional),
}  # fmt: skip
