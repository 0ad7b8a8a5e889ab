"""What became of readings between the log and the store: passed over, never read, stored twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints
from factorylab.audit.checks.duplicates import again
from factorylab.audit.checks.loss import passed_over as skipped
from factorylab.audit.explain.case import COPIES, Case, explains
from factorylab.audit.explain.share_explanations import lost_by_share_group
from factorylab.audit.explain.subject_explanations import doubled_by_subject, lost_by_subject
from factorylab.audit.model.findings import Explanation
from factorylab.history.saved_run import each

FENCED = "the position kept in the transaction that stores the readings"


@explains("lost_in_pipeline")
def passed_over(case: Case) -> Iterator[Explanation]:
    """In the log, below the position, and in neither table nor dead letters."""
    e = case.evidence
    key = e.select(lambda k: skipped(k) & k.acked)
    rows = e.log.take(e.log_row[key])
    lost = case.sent(key).assign(partition=rows["partition"].to_numpy(), offset=rows["offset"].to_numpy())
    if case.run.scenario.subject:
        yield from lost_by_subject(case, lost)
        return
    if case.run.scenario.shared:
        yield from lost_by_share_group(case, lost)
        return
    for partition, mine in lost.sort_values("offset").groupby("partition"):
        p, offset, due = int(str(partition)), mine["offset"].to_numpy(), mine["due_ns"].to_numpy()
        commits = _of(case.run.commits[~case.run.commits["refused"]], p)
        reads = _of(case.run.reads, p)
        covered = _covering(offset, due, commits, "from_offset", commits["to_offset"] - 1)
        seen = _covering(offset, due, reads, "first_offset", reads["last_offset"])
        for (was_read, was_covered), group in mine.groupby([seen >= 0, covered >= 0]):
            which = np.isin(mine["key"].to_numpy(), group["key"].to_numpy())
            poll = reads.iloc[seen[which][0]] if was_read else None
            done = commits.iloc[covered[which][0]] if was_covered else None
            yield _story(case, group, poll, done, reads)


def _of(frame: pd.DataFrame, partition: int) -> pd.DataFrame:
    return frame[frame["partition"] == partition].sort_values("t_ns", kind="stable").reset_index(drop=True)


def _covering(offset: Ints, due_ns: Ints, frame: pd.DataFrame, first: str, last: pd.Series) -> Ints:
    """By record, in the order of offsets: the first row since it was due whose offsets hold its own, −1 where none
    does. An earlier row is about what the place held before."""
    found = np.full(len(offset), -1)
    low = np.searchsorted(offset, frame[first].to_numpy())
    high = np.searchsorted(offset, last.to_numpy(), side="right")
    for row, t_ns in reversed(list(enumerate(frame["t_ns"]))):
        mine = slice(low[row], high[row])
        found[mine] = np.where(due_ns[mine] <= t_ns, row, found[mine])
    return found


def _story(
    case: Case, lost: pd.DataFrame, poll: pd.Series | None, done: pd.Series | None, reads: pd.DataFrame
) -> Explanation:
    partition, first, due_ns = int(lost["partition"].iloc[0]), int(lost["offset"].min()), int(lost["due_ns"].min())
    evidence = []
    if poll is not None:
        read_s = case.seconds(poll["t_ns"])
        evidence.append(
            f"{poll['worker']} read offsets {poll['first_offset']:,}–{poll['last_offset']:,} at {read_s:.1f} s"
        )
        evidence += _deaths(case, str(poll["worker"]), int(poll["t_ns"]))
    if done is not None:
        evidence.append(
            f"{done['worker']} committed {done['from_offset']:,}–{done['to_offset'] - 1:,} with {done['rows']:,} rows "
            f"at {case.seconds(done['t_ns']):.1f} s"
        )
    automatic = case.consumer.get("enable.auto.commit", "").lower() in {"true", "1"}
    committed = _committed(case, partition, first, due_ns)
    settings = case.settings(case.consumer, "auto.offset.reset", "enable.auto.commit")
    earlier = reads[(reads["t_ns"] < due_ns) & (reads["last_offset"] >= first)].tail(1)
    if poll is None and len(earlier):
        evidence += [
            f"{r.worker} read up to offset {r.last_offset:,} at {case.seconds(r.t_ns):.1f} s, before they were there"
            for r in each(earlier)
        ]
        evidence += [*_went_on(case, reads, first, due_ns), *committed]
        event = "never read: the log began anew below the consumer's position, and it went on from there"
        cure = f"what keeps the log from being cut off: {COPIES}"
    elif poll is None:
        evidence += ["no poll covers them", *_went_on(case, reads, first, due_ns), *settings, *committed]
        event = "never read: the consumer began beyond them"
        cure = "auto.offset.reset=earliest (or error) for a new group"
    elif done is not None:
        evidence += committed
        event = "a transaction moved the position past them without storing them"
        cure = "to store or dead-letter every record before the position moves past it"
    else:
        evidence += [*committed, *settings]
        event = "their offset was committed before they were stored" + (" (by auto-commit)" * automatic)
        cure = f"enable.auto.commit=false and {FENCED}"
    epoch = case.epochs.of_place(partition, first)
    return case.tell("lost_in_pipeline", lost, event=event, evidence=evidence, cure=cure, epoch=epoch)


def _went_on(case: Case, reads: pd.DataFrame, offset: int, since_ns: int) -> list[str]:
    """Where reading began that passed a place over."""
    beyond = reads[(reads["first_offset"] > offset) & (reads["t_ns"] >= since_ns)].head(1)
    return [f"{r.worker} began at offset {r.first_offset:,} at {case.seconds(r.t_ns):.1f} s" for r in each(beyond)]


def _deaths(case: Case, worker: str, after_ns: int) -> list[str]:
    windows = case.evidence.fault_windows
    later = windows[(windows["node"] == worker) & (windows["injected_ns"] >= after_ns)].head(1)
    return [f"{w.kind} {w.node} at {case.seconds(w.injected_ns):.1f} s" for w in each(later)]


def _committed(case: Case, partition: int, offset: int, since_ns: int) -> list[str]:
    """When the group's committed offset was first seen beyond a place."""
    lag = case.run.lag
    past = lag[(lag["partition"] == partition) & lag["valid"] & (lag["committed"] > offset) & (lag["t_ns"] >= since_ns)]
    past = past.sort_values("t_ns").head(1)
    return [f"the group's offset was {s.committed:,} at {case.seconds(s.t_ns):.1f} s" for s in each(past)]


@explains("duplicate_in_store")
def stored_twice(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    if case.run.scenario.subject:
        yield from doubled_by_subject(case)
        return
    copied = again(e.rows.key, e.rows.first)
    copied = copied[np.argsort(e.rows.key[copied], kind="stable")]
    rows = e.rows.take(copied)
    copies = case.sent(e.rows.key[copied]).assign(
        partition=rows["partition"].to_numpy(), offset=rows["offset"].to_numpy()
    )
    first = e.rows.take(e.rows.first[copies["key"].to_numpy()])["offset"].to_numpy()
    for (partition, twice), mine in copies.groupby(["partition", first != copies["offset"].to_numpy()]):
        p, offset = int(str(partition)), int(mine["offset"].iloc[0])
        commits, reads = _of(case.run.commits[~case.run.commits["refused"]], p), _of(case.run.reads, p)
        held = commits[(commits["from_offset"] <= offset) & (offset < commits["to_offset"])]
        polled = reads[(reads["first_offset"] <= offset) & (offset <= reads["last_offset"])]
        steps = [(c.t_ns, f"{c.worker} stored offset {offset:,}") for c in each(held.head(3))]
        steps += [(r.t_ns, f"{r.worker} read offset {offset:,}") for r in each(polled.head(3))]
        told = "; ".join(f"{text} at {case.seconds(t_ns):.1f} s" for t_ns, text in sorted(steps))
        from_ns = int(mine["t_ns"].min())
        evidence = [told, *case.faults_near(from_ns, case.run.phases.get("drain", from_ns))]
        older = held[held["owner_epoch"] < held["owner_epoch"].cummax()]
        epoch = case.epochs.of_place(p, offset)
        event, cure = _why_twice(older["worker"].tolist(), in_log_twice=bool(twice))
        yield case.tell("duplicate_in_store", mine, event=event, evidence=evidence, cure=cure, epoch=epoch)


def _why_twice(late: list[str], *, in_log_twice: bool) -> tuple[str, str]:
    """(what happened, what prevents it); `late` stored after a newer owner of the partition had."""
    if in_log_twice:
        return "the log holds them twice, and both copies were stored", "enable.idempotence=true, or a unique key"
    if late:
        return (
            f"stored by {late[0]}, which had lost the partition meanwhile, after its new owner had stored them",
            f"{FENCED}, which refuses a former owner, or a unique key",
        )
    return (
        "read and stored again after a crash or rebalance between the insert and the commit of the offset",
        f"{FENCED}, or a unique key",
    )
