"""What became of readings on their way into the log, and in it: truncated, expired, written twice or late, shed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.broker_log import LogEvent
from factorylab.analysis.epochs import Change, cut_by
from factorylab.analysis.places import offset_of
from factorylab.analysis.readings import SHED, UNKNOWN
from factorylab.audit.checks.duplicates import again, out_of_order
from factorylab.audit.checks.loss import gone
from factorylab.audit.explain.case import COPIES, NOTHING_SEEN, UNKNOWN_CURE, Case, explains
from factorylab.audit.model.findings import Explanation
from factorylab.history.saved_run import each

ACKS_ALL = "acks=all"
UNCLEAN = "unclean.leader.election.enable"
LAST_KNOWN = "was elected as an eligible replica or as the last leader known, and lacked them"


@explains("lost_in_log")
def truncated(case: Case) -> Iterator[Explanation]:
    """Acknowledged offsets at or above the one at which a later leader epoch began: that leader did not have them."""
    e = case.evidence
    lost = case.sent(e.select(lambda k: gone(k) & ~k.expired))
    for partition, mine in lost.groupby("partition"):
        changes = case.epochs.changes(int(str(partition)))
        cut = cut_by(changes, mine["offset"].to_numpy(), mine["t_ns"].to_numpy())
        for number in np.unique(cut):
            group = mine[cut == number]
            yield _cut(case, changes[number], group) if number >= 0 else _no_change(case, int(str(partition)), group)


def _cut(case: Case, change: Change, lost: pd.DataFrame) -> Explanation:
    before, after = change.before, change.after
    logged = [x for x in case.epochs.log_events if x.partition == before.partition and x.t_ns > before.first_ns]
    since = [x for x in logged if x.t_ns > lost["t_ns"].min()]
    emptied = [x for x in since if x.kind == "created" and x.node == f"broker-{after.leader}"]
    unclean = [x for x in logged if x.kind == "unclean" and x.epoch == after.epoch]
    began = [x for x in logged if x.kind == "leader" and x.epoch == after.epoch]
    trimmed = [x for x in since if x.kind == "truncated" and change.offset <= x.offset <= lost["offset"].max()]
    trimmed.sort(key=lambda x: x.node != f"broker-{before.leader}")  # its log held them, another's a few at most
    event, cure = _event(case, change, lost, unclean=bool(unclean), emptied=bool(emptied))
    late = int((lost["t_ns"] > (began[0].t_ns if began else after.first_ns)).sum())
    evidence = [
        f"leader {before.leader} in epoch {before.epoch} → leader {after.leader} in epoch {after.epoch}, seen at "
        f"{case.seconds(before.last_ns):.1f} s and {case.seconds(after.first_ns):.1f} s; "
        f"epoch {after.epoch} begins at offset {change.offset:,}",
        f"replicas in sync before: {list(before.isr_last)}; after: {list(after.isr_first)}",
        *case.quoted((emptied or unclean or began)[:1] + trimmed[:1]),
        *([f"{late:,} of them were acknowledged after that, by a leader that had not heard of it"] if late else []),
        *case.settings(case.producer | case.topic, "acks", "min.insync.replicas", UNCLEAN),
        *case.faults_near(before.first_ns, after.first_ns),
    ]
    return case.tell("lost_in_log", lost, event=event, evidence=evidence, cure=cure, epoch=before.epoch)


def _event(case: Case, change: Change, lost: pd.DataFrame, *, unclean: bool, emptied: bool) -> tuple[str, str]:
    """(what happened, what prevents it).

    The order matters. Who had no copy any more comes before how it was elected: a broker that lost its disk leads again
    by an election that the controller calls unclean, with unclean.leader.election.enable=false. With it the controller
    also elects the last leader known when that returns, and calls it unclean; what it acknowledged it has, unless its
    disk lost it.
    """
    before, after = change.before, change.after
    if lost["t_ns"].min() > after.first_ns:
        return f"acknowledged by broker {before.leader}, which did not know that it had been replaced", ACKS_ALL
    if change.clean and (emptied or len(before.isr_last) <= 1):
        only = ", the only replica in sync," if len(before.isr_last) <= 1 else ""
        return f"broker {after.leader}{only} came back without its records", COPIES
    asked_no_isr, off = unclean or not change.clean, case.topic.get(UNCLEAN) == "false"
    if asked_no_isr and not off:
        return (
            f"unclean election: broker {after.leader} became leader although it was not in sync",
            f"{UNCLEAN}=false, or {COPIES}",
        )
    if unclean or (asked_no_isr and case.evidence.acks == "all"):
        return f"broker {after.leader}, not in sync, {LAST_KNOWN}", COPIES
    if case.evidence.acks != "all":
        return f"truncated to the end of the new leader, broker {after.leader}, which had not copied them yet", ACKS_ALL
    return f"missing after a clean election of broker {after.leader}, which was in sync", UNKNOWN_CURE


def _no_change(case: Case, partition: int, lost: pd.DataFrame) -> Explanation:
    frozen = case.run.frozen
    end = int(frozen.loc[frozen["partition"] == partition, "end"].max()) if len(frozen) else -1
    beyond = 0 <= end <= int(lost["offset"].min())
    evidence = [f"the log of partition {partition} ends at {end:,}", "no change of its leader took these offsets away"]
    event = "acknowledged at offsets beyond the end of the log" if beyond else NOTHING_SEEN
    epoch = case.epochs.written_in(partition, int(lost["t_ns"].max()))
    return case.tell("lost_in_log", lost, event=event, evidence=evidence, cure=UNKNOWN_CURE, epoch=epoch)


@explains("expired")
def expired(case: Case) -> Iterator[Explanation]:
    """Below the log's start: retention took whole segments away before the store had read them."""
    e = case.evidence
    lost = case.sent(e.select(lambda k: k.expired & ~k.stored & ~k.dead_lettered))
    for name, mine in lost.groupby("partition"):
        partition, first, t_ns = int(str(name)), int(mine["offset"].min()), int(mine["t_ns"].min())
        frozen = case.run.frozen
        start = int(frozen.loc[frozen["partition"] == partition, "start"].max())
        deleted = _deleted(case, partition, first)
        reason_told = any(x.kind == "retention" for x in deleted)
        evidence = [
            f"the log of partition {partition} begins at offset {start:,} now",
            *case.quoted(deleted),
            *([] if reason_told else case.settings(case.topic, "retention.ms", "retention.bytes")),
            *case.faults_near(t_ns, case.run.phases.get("drain", int(mine["t_ns"].max()))),
        ]
        cure = "a retention (retention.ms, retention.bytes) longer than the longest outage of the consumers"
        event = "retention deleted them before they were stored"
        epoch = case.epochs.written_in(partition, t_ns)
        yield case.tell("expired", mine, event=event, evidence=evidence, cure=cure, epoch=epoch)


def _deleted(case: Case, partition: int, offset: int) -> list[LogEvent]:
    """What the brokers said when they deleted the segment with this offset: why, and where the log began then."""
    told = [x for x in case.epochs.log_events if x.partition == partition]
    moved = next((x for x in told if x.kind == "expired" and x.offset > offset), None)
    held = [x for x in told if x.kind == "retention" and x.offset <= offset and moved and x.node == moved.node]
    return [*held[-1:], *([moved] if moved else [])]


@explains("duplicate_in_log")
def written_twice(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    copied = again(e.log.key, e.log_row)
    copied = copied[np.argsort(e.log.key[copied], kind="stable")]
    log = e.log.take(copied)
    copies = case.sent(e.log.key[copied]).assign(partition=log["partition"].to_numpy(), offset=log["offset"].to_numpy())
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
    for name, mine in copies.groupby("partition"):
        partition, offset = int(str(name)), int(mine["offset"].iloc[0])
        first = int(offset_of(e.log.place[e.log_row[mine["key"].iloc[0]]]))
        epoch = case.epochs.of_place(partition, offset)
        evidence = [
            f"e.g. offsets {first:,} (epoch {case.epochs.of_place(partition, first)}) and {offset:,} (epoch {epoch}) "
            "hold the same reading",
            *case.faults_near(int(mine["due_ns"].min()), int(mine["t_ns"].max())),
            *case.settings(case.producer, "enable.idempotence", "socket.timeout.ms"),
        ]
        yield case.tell("duplicate_in_log", mine, event=event, evidence=evidence, cure=cure, epoch=epoch)


@explains("reordered_in_log")
def written_late(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    late = out_of_order(e)
    found = case.sent(late)
    rows = e.log.take(e.log_row[found["key"].to_numpy()])
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
    for name, mine in found.groupby("partition"):
        epoch = case.epochs.of_place(int(str(name)), int(mine["offset"].iloc[0]))
        evidence = [
            *case.faults_near(int(mine["due_ns"].min()), int(mine["t_ns"].max())),
            *case.settings(case.producer, "enable.idempotence", "max.in.flight.requests.per.connection"),
        ]
        yield case.tell("reordered_in_log", mine, event=event, evidence=evidence, cure=cure, epoch=epoch)


@explains("shed")
def shed(case: Case) -> Iterator[Explanation]:
    """Refused by the producer's full queue: never acknowledged, so never lost, and gone all the same."""
    refused = case.sent(case.evidence.select(lambda k: k.outcome == SHED))
    if refused.empty:
        return
    from_ns, until_ns = int(refused["t_ns"].min()), int(refused["t_ns"].max())
    gaps = case.evidence.ack_gaps.sort_values("gap_s", ascending=False)
    evidence = [
        *(f"partition {g.partition} acknowledged nothing for {g.gap_s:.1f} s from {g.start_s:.1f} s on"
          for g in each(gaps.head(1))),
        *case.settings(case.producer, "queue.buffering.max.messages", "queue.buffering.max.kbytes"),
        *case.faults_near(from_ns, until_ns),
    ]  # fmt: skip
    cure = "a longer queue.buffering.max.messages (rate × longest outage), or a shorter outage"
    event = "the full queue of the producer refused them"
    yield case.tell("shed", refused, event=event, evidence=evidence, cure=cure)


@explains("unconfirmed")
def never_confirmed(case: Case) -> Iterator[Explanation]:
    """Under acks=0 nobody is told what was written: what is missing is no broken promise, and gone all the same."""
    e = case.evidence
    if e.acks != "0":
        return
    missing = case.sent(e.select(lambda k: (k.outcome == UNKNOWN) & ~k.in_log))
    for name, mine in missing.groupby("partition"):
        from_ns, until_ns = int(mine["due_ns"].min()), int(mine["due_ns"].max())
        event = "sent without asking for an acknowledgement, and never written"
        evidence = [*case.settings(case.producer, "acks"), *case.faults_near(from_ns, until_ns)]
        epoch = case.epochs.written_in(int(str(name)), from_ns)
        yield case.tell("unconfirmed", mine, event=event, evidence=evidence, cure=ACKS_ALL, epoch=epoch)
