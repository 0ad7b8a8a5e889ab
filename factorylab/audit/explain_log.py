"""What became of readings on their way into the log, and in it: truncated, expired, written twice or late, shed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.epochs import Change
from factorylab.analysis.readings import SHED, UNKNOWN
from factorylab.audit.case import NOTHING_SEEN, UNKNOWN_CURE, Case, explains
from factorylab.audit.copies import out_of_order
from factorylab.audit.loss import expired_keys
from factorylab.audit.verdict import Explanation
from factorylab.saved import each

ACKS_ALL = "acks=all"
COPIES = "min.insync.replicas=2 with three replicas"


@explains("lost_in_log")
def truncated(case: Case) -> Iterator[Explanation]:
    """Confirmed offsets at or above the one at which a later leader epoch began: that leader did not have them."""
    e = case.evidence
    lost = case.sent(e.acked & ~e.in_log & ~expired_keys(e))
    for partition, mine in lost.groupby("partition"):
        changes = case.epochs.changes(int(str(partition)))
        cut = np.array([_cut_by(changes, r.offset, r.t_ns) for r in each(mine)])
        for number in np.unique(cut):
            group = mine[cut == number]
            yield _cut(case, changes[number], group) if number >= 0 else _no_change(case, int(str(partition)), group)


def _cut_by(changes: list[Change], offset: int, t_ns: int) -> int:
    """Which change took a record away that was confirmed at `t_ns`: the first after it whose epoch begins at or below
    the offset; else the last before it, whose former leader went on confirming. −1: none."""
    fits = [i for i, c in enumerate(changes) if 0 <= c.offset <= offset]
    later = [i for i in fits if changes[i].after.first_ns >= t_ns]
    return later[0] if later else fits[-1] if fits else -1


def _cut(case: Case, change: Change, lost: pd.DataFrame) -> Explanation:
    before, after = change.before, change.after
    logged = [x for x in case.epochs.log_events if x.partition == before.partition]
    unclean = [x for x in logged if x.kind == "unclean" and before.first_ns <= x.t_ns]
    began = [x for x in logged if x.kind == "leader" and x.epoch == after.epoch]
    trimmed = [
        x for x in logged if x.kind == "truncated" and x.offset <= lost["offset"].max() and x.t_ns > before.first_ns
    ]
    event, cure = _event(case, change, lost, unclean=bool(unclean))
    evidence = [
        f"leader {before.leader} in epoch {before.epoch} → leader {after.leader} in epoch {after.epoch}, seen between "
        f"{case.seconds(before.last_ns):.1f} s and {case.seconds(after.first_ns):.1f} s",
        f"in sync at last: {list(before.isr_last)}; then {list(after.isr_first)}",
        f"epoch {after.epoch} begins at offset {change.offset:,}; lost are "
        f"{lost['offset'].min():,}–{lost['offset'].max():,}",
        *(x.cite() for x in [*unclean[:1], *began[:1], *trimmed[:1]]),
        *case.faults_near(before.first_ns, after.first_ns)[-3:],
        *case.setting(case.producer, "acks"),
        *case.setting(case.topic, "min.insync.replicas"),
        *case.setting(case.topic, "unclean.leader.election.enable"),
    ]
    return case.tell("lost_in_log", lost, event=event, evidence=evidence, cure=cure, epoch=before.epoch)


def _event(case: Case, change: Change, lost: pd.DataFrame, *, unclean: bool) -> tuple[str, str]:
    """(what happened, what prevents it). The order matters: what a log line proves before what samples suggest."""
    before, after = change.before, change.after
    if lost["t_ns"].min() > after.first_ns:
        return f"confirmed by broker {before.leader}, which did not know that it had been replaced", ACKS_ALL
    if unclean or not change.clean:
        return (
            f"unclean election: broker {after.leader} became leader although it was not in sync",
            f"unclean.leader.election.enable=false, or {COPIES}",
        )
    if len(before.isr_last) <= 1:
        return f"broker {after.leader}, the only replica in sync, came back without its records", COPIES
    if case.evidence.acks != "all":
        return f"truncated to the end of the new leader {after.leader}, which had not copied them yet", ACKS_ALL
    return f"missing after a clean election of broker {after.leader}, which was in sync", UNKNOWN_CURE


def _no_change(case: Case, partition: int, lost: pd.DataFrame) -> Explanation:
    frozen = case.run.frozen
    end = int(frozen.loc[frozen["partition"] == partition, "end"].max()) if len(frozen) else -1
    beyond = 0 <= end <= int(lost["offset"].min())
    evidence = [f"the log of partition {partition} ends at {end:,}", "no change of its leader took these offsets away"]
    event = "confirmed at offsets beyond the end of the log" if beyond else NOTHING_SEEN
    term = case.epochs.term_at(partition, int(lost["t_ns"].max()))
    epoch = term.epoch if term else -1
    return case.tell("lost_in_log", lost, event=event, evidence=evidence, cure=UNKNOWN_CURE, epoch=epoch)


@explains("expired")
def expired(case: Case) -> Iterator[Explanation]:
    """Below the log's start: retention took whole segments away before the store had read them."""
    e = case.evidence
    gone = case.sent(expired_keys(e) & ~e.stored & ~e.dead_lettered)
    for partition, mine in gone.groupby("partition"):
        frozen = case.run.frozen
        start = int(frozen.loc[frozen["partition"] == partition, "start"].max())
        told = [x for x in case.epochs.log_events if x.partition == partition and x.kind in {"expired", "retention"}]
        evidence = [
            f"the log of partition {partition} begins at offset {start:,} now",
            *(x.cite() for x in told[:2]),
            *case.setting(case.topic, "retention.ms"),
            *case.setting(case.topic, "retention.bytes"),
            *case.faults_near(int(mine["t_ns"].min()), case.run.phases.get("drain", int(mine["t_ns"].max())))[:2],
        ]
        cure = "a retention (retention.ms, retention.bytes) longer than the longest outage of the consumers"
        event = "retention deleted them before they were stored"
        yield case.tell("expired", mine, event=event, evidence=evidence, cure=cure)


@explains("duplicate_in_log")
def written_twice(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    key = e.log_key
    order = np.argsort(key, kind="stable")
    again = order[1:][(key[order][1:] == key[order][:-1]) & (key[order][1:] >= 0)]
    log = e.log.iloc[again]
    copies = case.sent(key[again]).assign(partition=log["partition"].to_numpy(), offset=log["offset"].to_numpy())
    event, cure = (
        (
            "the producer sent them again, without idempotence, after an answer that did not come",
            "enable.idempotence=true",
        )
        if case.repeats
        else (
            "written twice although the producer is idempotent: by two producers, or by one that numbered anew after a "
            "request had timed out",
            UNKNOWN_CURE,
        )
    )
    for partition, mine in copies.groupby("partition"):
        firsts = e.log["offset"].to_numpy()[e.log_row[mine["key"].to_numpy()]]
        evidence = [
            f"e.g. offsets {firsts[0]:,} (epoch {case.epochs.of_place(int(str(partition)), firsts[0])}) and "
            f"{mine['offset'].iloc[0]:,} (epoch {case.epochs.of_place(int(str(partition)), mine['offset'].iloc[0])}) "
            "hold the same reading",
            *case.setting(case.producer, "enable.idempotence"),
            *case.setting(case.producer, "socket.timeout.ms"),
            *case.faults_near(int(mine["t_ns"].min()), int(mine["t_ns"].max()))[:2],
        ]
        yield case.tell("duplicate_in_log", mine, event=event, evidence=evidence, cure=cure)


@explains("reordered_in_log")
def written_late(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    late = out_of_order(e)
    found = case.sent(late)
    rows = e.log.iloc[e.log_row[found["key"].to_numpy()]]
    found = found.assign(partition=rows["partition"].to_numpy(), offset=rows["offset"].to_numpy())
    event, cure = (
        (
            "a batch was written behind its successor, without idempotence: sent again, or read late from a connection "
            "that the producer had dropped",
            "enable.idempotence=true",
        )
        if case.repeats
        else (NOTHING_SEEN, UNKNOWN_CURE)
    )
    for _, mine in found.groupby("partition"):
        evidence = [
            *case.setting(case.producer, "enable.idempotence"),
            *case.setting(case.producer, "max.in.flight.requests.per.connection"),
            *case.faults_near(int(mine["t_ns"].min()), int(mine["t_ns"].max()))[:2],
        ]
        yield case.tell("reordered_in_log", mine, event=event, evidence=evidence, cure=cure)


@explains("shed")
def shed(case: Case) -> Iterator[Explanation]:
    """Refused by the producer's full queue: never confirmed, so never lost, and gone all the same."""
    gone = case.sent(case.evidence.outcome == SHED)
    if gone.empty:
        return
    from_ns, until_ns = int(gone["t_ns"].min()), int(gone["t_ns"].max())
    gaps = case.evidence.ack_gaps.sort_values("gap_s", ascending=False)
    evidence = [
        *(f"partition {g.partition} confirmed nothing for {g.gap_s:.1f} s from {g.start_s:.1f} s on"
          for g in each(gaps.head(1))),
        *case.setting(case.producer, "queue.buffering.max.messages"),
        *case.setting(case.producer, "queue.buffering.max.kbytes"),
        *case.faults_near(from_ns, until_ns)[:2],
    ]  # fmt: skip
    cure = "a longer queue.buffering.max.messages (rate × longest outage), or a shorter outage"
    event = "the full queue of the producer refused them"
    yield case.tell("shed", gone, event=event, evidence=evidence, cure=cure)


@explains("unconfirmed")
def never_confirmed(case: Case) -> Iterator[Explanation]:
    """Under acks=0 nobody is told what was written: what is missing is no broken promise, and gone all the same."""
    e = case.evidence
    gone = case.sent((e.outcome == UNKNOWN) & ~e.in_log)
    if e.acks == "0" and len(gone):
        near = case.faults_near(int(gone["t_ns"].min()), int(gone["t_ns"].max()))
        event = "sent without asking for a confirmation, and never written"
        evidence = [*case.setting(case.producer, "acks"), *near]
        yield case.tell("unconfirmed", gone, event=event, evidence=evidence, cure=ACKS_ALL)
