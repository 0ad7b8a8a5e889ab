"""What became of readings between the log and the store: passed over, never read, stored twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints
from factorylab.audit.case import Case, explains
from factorylab.audit.verdict import Explanation
from factorylab.saved import each

FENCED = "the position kept in the transaction that stores the readings"


@explains("lost_in_pipeline")
def passed_over(case: Case) -> Iterator[Explanation]:
    """In the log, below the position, and in neither table nor dead letters."""
    e = case.evidence
    key = np.flatnonzero(e.acked & e.in_log & e.behind & ~e.stored & ~e.dead_lettered)
    rows = e.log.iloc[e.log_row[key]]
    lost = case.sent(key).assign(partition=rows["partition"].to_numpy(), offset=rows["offset"].to_numpy())
    for partition, mine in lost.groupby("partition"):
        p, offset = int(str(partition)), mine["offset"].to_numpy()
        commits = _of(case.run.commits[~case.run.commits["refused"]], p)
        reads = _of(case.run.reads, p)
        covered = _covering(offset, commits["from_offset"], commits["to_offset"] - 1)
        seen = _covering(offset, reads["first_offset"], reads["last_offset"])
        for (was_read, was_covered), group in mine.groupby([seen >= 0, covered >= 0]):
            which = np.isin(mine["key"].to_numpy(), group["key"].to_numpy())
            poll = reads.iloc[seen[which][0]] if was_read else None
            done = commits.iloc[covered[which][0]] if was_covered else None
            yield _story(case, group, poll, done, reads)


def _of(frame: pd.DataFrame, partition: int) -> pd.DataFrame:
    return frame[frame["partition"] == partition].sort_values("t_ns", kind="stable").reset_index(drop=True)


def _covering(offset: Ints, first: pd.Series, last: pd.Series) -> Ints:
    """By offset: the first row whose first … last holds it, −1 where none does."""
    low, high = first.to_numpy(), last.to_numpy()
    hits = (low[None, :] <= offset[:, None]) & (offset[:, None] <= high[None, :]) if len(low) else None
    return np.full(len(offset), -1) if hits is None else np.where(hits.any(axis=1), hits.argmax(axis=1), -1)


def _story(
    case: Case, lost: pd.DataFrame, poll: pd.Series | None, done: pd.Series | None, reads: pd.DataFrame
) -> Explanation:
    partition, first = int(lost["partition"].iloc[0]), int(lost["offset"].min())
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
    evidence += _committed(case, partition, first)
    evidence += [*case.setting(case.consumer, "enable.auto.commit"), *case.setting(case.consumer, "auto.offset.reset")]
    if poll is None:
        beyond = reads[reads["first_offset"] > first].sort_values("first_offset").head(1)
        evidence.insert(0, "no poll covers them")
        evidence += [
            f"{r.worker} began at offset {r.first_offset:,} at {case.seconds(r.t_ns):.1f} s" for r in each(beyond)
        ]
        event, cure = (
            "never read: the consumer began beyond them",
            "auto.offset.reset=earliest (or error) for a new group",
        )
    elif done is not None:
        event, cure = "the store's transaction went past them without storing them", FENCED
    else:
        event = "their offset was committed before they were stored" + " (by auto-commit)" * automatic
        cure = f"enable.auto.commit=false and {FENCED}"
    epoch = case.epochs.of_place(partition, first)
    return case.tell("lost_in_pipeline", lost, event=event, evidence=evidence, cure=cure, epoch=epoch)


def _deaths(case: Case, worker: str, after_ns: int) -> list[str]:
    windows = case.evidence.fault_windows
    later = windows[(windows["node"] == worker) & (windows["injected_ns"] >= after_ns)].head(1)
    return [f"{w.kind} {w.node} at {case.seconds(w.injected_ns):.1f} s" for w in each(later)]


def _committed(case: Case, partition: int, offset: int) -> list[str]:
    """When the group's committed offset was first seen beyond a place."""
    lag = case.run.lag
    past = lag[(lag["partition"] == partition) & lag["valid"] & (lag["committed"] > offset)].sort_values("t_ns").head(1)
    return [f"the group's offset was {s.committed:,} at {case.seconds(s.t_ns):.1f} s" for s in each(past)]


@explains("duplicate_in_store")
def stored_twice(case: Case) -> Iterator[Explanation]:
    e = case.evidence
    key = e.row_key
    order = np.argsort(key, kind="stable")
    again = order[1:][(key[order][1:] == key[order][:-1]) & (key[order][1:] >= 0)]
    rows = e.rows.iloc[again]
    copies = case.sent(key[again]).assign(partition=rows["partition"].to_numpy(), offset=rows["offset"].to_numpy())
    first = e.rows["offset"].to_numpy()[e.row_row[copies["key"].to_numpy()]]
    for (partition, twice), mine in copies.groupby(["partition", first != copies["offset"].to_numpy()]):
        p, offset = int(str(partition)), int(mine["offset"].iloc[0])
        commits, reads = _of(case.run.commits, p), _of(case.run.reads, p)
        held = commits[(commits["from_offset"] <= offset) & (offset < commits["to_offset"]) & ~commits["refused"]]
        polled = reads[(reads["first_offset"] <= offset) & (offset <= reads["last_offset"])]
        evidence = [f"{c.worker} stored offset {offset:,} at {case.seconds(c.t_ns):.1f} s" for c in each(held.head(3))]
        evidence += [f"{r.worker} read offset {offset:,} at {case.seconds(r.t_ns):.1f} s" for r in each(polled.head(3))]
        from_ns = int(mine["t_ns"].min())
        evidence += case.faults_near(from_ns, case.run.phases.get("drain", from_ns))[:2]
        event, cure = (
            ("the log holds them twice, and both copies were stored", "enable.idempotence=true, or a unique key")
            if twice
            else ("read and stored again after a crash or rebalance between the insert and the commit of the offset",
                  f"{FENCED}, or a unique key")
        )  # fmt: skip
        epoch = case.epochs.of_place(p, offset)
        yield case.tell("duplicate_in_store", mine, event=event, evidence=evidence, cure=cure, epoch=epoch)
