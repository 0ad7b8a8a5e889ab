"""What the processors did: skipped, went back, wrote as zombies, raised the wrong alerts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.intervals import assignments
from factorylab.analysis.matching import previous
from factorylab.analysis.readings import Ints, Mask, place
from factorylab.audit.checks.duplicates import polls
from factorylab.audit.checks.loss import passed_over
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.history.saved_run import each

FIRST_WITH_REPLAY = 3  # schema version
POLLED = ("reads", "workers")  # the order of polls is that of their times


def lives(e: Evidence, frame: pd.DataFrame) -> Ints:
    """Which life of its worker wrote each row: a restarted worker counts its rebalances from the beginning."""
    names, born = e.run.workers["worker"].astype(str).to_numpy(), e.run.workers["t_ns"].to_numpy()
    writer, t_ns = frame["worker"].cat.codes.to_numpy(), frame["t_ns"].to_numpy()
    life = np.zeros(len(frame), np.int64)
    for code, worker in enumerate(frame["worker"].cat.categories):
        mine = writer == code
        life[mine] = np.searchsorted(np.sort(born[names == worker]), t_ns[mine], side="right")
    return life


def steps(e: Evidence) -> pd.DataFrame:
    """Polls with the last offset of the poll before, within one assignment of one worker and partition.

    Columns of `polls`, plus `before` (NaN for an assignment's first poll) and `jumped`: records of the log that
    lie between the two.
    """
    seen = e.once(polls)
    seen = seen.assign(life=lives(e, seen)).sort_values("t_ns", kind="stable")
    partition, last = seen["partition"].to_numpy(), seen["last_offset"].to_numpy()
    assignment = (seen["worker"].cat.codes.to_numpy(), seen["life"].to_numpy(), seen["rebalance_no"].to_numpy())
    row = previous(*assignment, partition)
    low = e.log.before(place(partition, last[row]) + 1)
    high = e.log.before(place(partition, seen["first_offset"].to_numpy()))
    return seen.assign(
        before=np.where(row < 0, np.nan, last[row]), jumped=np.where(row < 0, 0, np.maximum(high - low, 0))
    )


def _poll_witnesses(seen: pd.DataFrame, note: str) -> list[Witness]:
    return [
        Witness(partition=r.partition, offset=r.first_offset, note=f"{r.worker}: {note}")
        for r in each(seen.head(WITNESSES))
    ]


@check(
    "Within an assignment a processor reads every record.", "records were skipped", by_times_of=POLLED, needs="journal"
)
def skipped(e: Evidence) -> Found:
    """Records between two polls, and records inside a poll's range that it did not return. Offset gaps are legal."""
    seen = e.once(steps)
    inside = (seen["in_log"] - seen["count"]).clip(lower=0)
    missed = seen["jumped"] + inside
    return Found(int(missed.sum()), int(seen["count"].sum()), "", _poll_witnesses(seen[missed > 0], "skipped records"))


@check(
    "Within an assignment a processor never reads backwards.", "polls went back", by_times_of=POLLED, needs="journal"
)
def rewound(e: Evidence) -> Found:
    seen = e.once(steps)
    back = seen[seen["first_offset"] <= seen["before"]]
    return Found(len(back), len(seen), "", _poll_witnesses(back, "went back"))


@check(
    "No older owner of a partition writes after a newer one.", "transactions of an older owner took effect",
    needs="journal",
)  # fmt: skip
def zombie_write(e: Evidence) -> Found:
    """Accepted transactions in the order of their offsets: the owner's epoch never falls, none overlaps the range of
    another owner, and no two workers write in one epoch. Offsets order them, not times: an owner paused in COMMIT hears
    of it late."""
    commits = e.run.commits
    accepted = commits[~commits["refused"]].sort_values(["partition", "from_offset", "owner_epoch"], kind="stable")
    same = (accepted["partition"] == accepted["partition"].shift()).to_numpy()
    epoch, before = accepted["owner_epoch"], accepted["owner_epoch"].shift()
    reached = accepted.groupby("partition")["to_offset"].cummax().shift()
    overlaps = (accepted["from_offset"] < reached) & (epoch != before)
    first = accepted.groupby(["partition", "owner_epoch"])["worker"].transform("first")
    zombies = accepted[same & ((epoch < before) | overlaps) | (accepted["worker"] != first).to_numpy()]
    refused = int(commits["refused"].sum())
    witnesses = [
        Witness(partition=z.partition, offset=z.from_offset, note=f"{z.worker} in epoch {z.owner_epoch}")
        for z in each(zombies.head(WITNESSES))
    ]
    return Found(len(zombies), len(accepted), f"{refused:,} refused by the fence", witnesses)


@check(
    "A partition has one owner at a time, but for one that its group put out.", "assignments were made too early",
    by_times_of=("group", "workers", "faults"), needs="journal",
)  # fmt: skip
def two_owners(e: Evidence) -> Found:
    """By the callbacks of the group. A member that hears of its loss late, was killed, or ended before it could say
    so, gave its partitions up without a word."""
    spans = assignments(e.run)
    if spans.empty and len(e.run.reads):
        raise ValueError("polls without any assignment")
    early: list[Any] = []
    for x in each(spans[spans["ended_by"].isin(["revoked", "end"])]):
        others = [y for y in each(spans) if y.partition == x.partition and y.worker != x.worker]
        during = [y for y in others if x.start_s < y.start_s < x.end_s]
        early += during if during and not _ended(e, x) else []
    witnesses = [
        Witness(partition=y.partition, note=f"{y.worker} owned it from {y.start_s:.1f} s on, and another did still")
        for y in early
    ]
    return Found(len(early), len(spans), "", witnesses)


def _ended(e: Evidence, span: Any) -> bool:
    """The owner's process was another one, or none, when its time was over."""
    born = e.run.seconds(e.run.workers.loc[e.run.workers["worker"] == span.worker, "t_ns"])
    return bool(born.between(span.start_s, span.end_s).any()) or span.worker in e.run.manifest.workers_died


def alerts_of(e: Evidence, sink: str) -> pd.DataFrame:
    return e.alerts[e.alerts["sink"] == sink]


def alert_witnesses(e: Evidence, alerts: pd.DataFrame, note: str) -> list[Witness]:
    return [
        Witness(sensor=e.sensor_name(a.sensor), seq=a.seq, note=f"{e.alert_ids[a.alert]}: {note}")
        for a in each(alerts.head(WITNESSES))
    ]


@check("The store holds each alert once (the topic may repeat an id).", "alerts are stored twice", needs="alerts")
def duplicate_alert(e: Evidence) -> Found:
    table, topic = alerts_of(e, "table"), alerts_of(e, "topic")
    twice = table[table["alert"].duplicated()]
    detail = f"{int(topic['alert'].duplicated().sum()):,} legal repeats in the topic"
    return Found(len(twice), len(table), detail, alert_witnesses(e, twice, "stored twice"))


@check("Every stored alert is in the topic too.", "stored alerts never reached the topic", needs="alerts")
def alert_missing(e: Evidence) -> Found:
    """An alert is acknowledged by its topic before the transaction that stores it commits."""
    table, topic = alerts_of(e, "table"), alerts_of(e, "topic")
    missing = table[~table["alert"].isin(topic["alert"])]
    return Found(len(missing), len(table), "", alert_witnesses(e, missing, "not in the topic"))


@check(
    "Every alert in the topic belongs to a reading, and is stored if its reading is.", "alerts have no ground",
    needs="alerts",
)  # fmt: skip
def alert_spurious(e: Evidence) -> Found:
    """An alert whose reading the store has not reached is early, not wrong: its transaction may yet commit."""
    table = alerts_of(e, "table")
    topic = alerts_of(e, "topic").drop_duplicates("alert")
    both = pd.concat([topic[~topic["alert"].isin(table["alert"])], table.drop_duplicates("alert")])
    key = e.keys(both["sensor"].to_numpy(), both["seq"].to_numpy())
    stored, in_log = (e.which(key, condition) for condition in (lambda k: k.stored, lambda k: k.in_log))
    in_table = (both["sink"] == "table").to_numpy()
    wrong = np.where(in_table, ~stored, stored | ~in_log)
    early = int((~in_table & ~wrong).sum())
    detail = f"{early:,} ahead of the store" if early else ""
    return Found(int(wrong.sum()), len(topic) + len(table), detail, alert_witnesses(e, both[wrong], "without ground"))


@check(
    "The stored alerts are those that one uninterrupted pass over the log raises, and each is told in one way.",
    "alerts are missing, too many or altered", needs="alerts",
)  # fmt: skip
def alert_differs(e: Evidence) -> Found:
    """The pass is judged where the store has reached the reading and the final log holds it. Lost readings take their
    alerts with them, and are counted as what they are."""
    unjudged = no_pass(e)
    table, replay = (alerts_of(e, sink).drop_duplicates("alert") for sink in ("table", "replay"))
    if unjudged:
        replay = table
    missing = replay[~replay["alert"].isin(table["alert"]) & judged(e, replay)]
    extra = table[~table["alert"].isin(replay["alert"]) & judged(e, table)]
    altered = _told_differently(pd.concat([table, replay, alerts_of(e, "topic")]))
    witnesses = alert_witnesses(e, missing, "not stored") + alert_witnesses(e, extra, "not raised by the pass")
    witnesses += alert_witnesses(e, altered, "told in two ways")
    count = len(missing) + len(extra) + len(altered)
    detail = f"{len(missing):,} missing, {len(extra):,} too many, {len(altered):,} altered" if count else ""
    return Found(count, len(replay), detail, witnesses, unjudged)


def _told_differently(alerts: pd.DataFrame) -> pd.DataFrame:
    """One row for each alert of which two rows differ in more than their sink."""
    told = alerts.drop(columns="sink").drop_duplicates()
    return told[told["alert"].duplicated()].drop_duplicates("alert")


def no_pass(e: Evidence) -> str:
    """Why the alerts cannot be compared; "" where they can."""
    if e.run.manifest.schema_version < FIRST_WITH_REPLAY:
        return "this run was recorded without such a pass"
    if not e.run.scenario.clients.positions_in_store:
        return "these processors raise no alerts"
    if (e.run.frozen["start"] > 0).any():
        return "the log begins after offset 0: its alerts cannot be told any more"
    if e.count(lambda k: k.stored & ~k.in_log) or e.count(passed_over):
        return "readings were lost, and their alerts with them"
    return ""


def judged(e: Evidence, alerts: pd.DataFrame) -> Mask:
    """Alerts of readings in the final log, below the store's position."""
    key = e.keys(alerts["sensor"].to_numpy(), alerts["seq"].to_numpy())
    return e.which(key, lambda k: k.behind)
