"""Whether the tables of the processors tell the same: assignments, polls, transactions, and what they noted in the
store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.completeness import found_words, unnoted
from factorylab.audit.checks.noted_events import unlike_events
from factorylab.audit.checks.processors import lives
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.vocabulary import GroupEvent
from factorylab.history.saved_run import each
from factorylab.scenarios.fault_catalog import ENDING

CALLBACKS: tuple[GroupEvent, ...] = ("assigned", "revoked", "lost")


@check(
    "Assignments, polls and transactions tell the same of who worked on which partition.", "contradictions", "INVALID"
)
def work_agrees(e: Evidence) -> Found:
    words = [*_unassigned(e), *_of_two_takings(e)]
    if e.run.scenario.clients.processor == "fenced":
        words += [*_noted_otherwise(e), *_positions_elsewhere(e), *_miscounted(e)]
    return found_words(words, len(e.run.reads) + len(e.run.commits) + len(e.run.group))


def _unassigned(e: Evidence) -> Iterator[str]:
    """Polls of a partition while the group had not assigned it to their processor, by the last callback before them in
    the same life of the process."""
    told = e.run.group.assign(life=lives(e, e.run.group)).explode("partitions").dropna(subset=["partitions"])
    told = told.rename(columns={"partitions": "partition", "rebalance_no": "told_no"}).astype({"partition": "int64"})
    reads = e.run.reads.assign(life=lives(e, e.run.reads)).astype({"partition": "int64"})
    keys, columns = ["worker", "life", "partition"], ["worker", "life", "partition", "t_ns", "event", "told_no"]
    told, reads = (f.astype({"worker": str}).sort_values("t_ns", kind="stable") for f in (told[columns], reads))
    both = pd.merge_asof(reads, told, on="t_ns", by=keys)
    owned = (both["event"].astype(object) == "assigned") & (both["told_no"] <= both["rebalance_no"])
    for (worker, partition), mine in both[~owned].groupby(["worker", "partition"]):
        yield f"{worker} polled partition {partition} {len(mine):,} times while it was not assigned to it"


def _of_two_takings(e: Evidence) -> Iterator[str]:
    """A processor takes a partition in the store once for each of its numbers, and gets an epoch of its own for it."""
    reads = e.run.reads.assign(life=lives(e, e.run.reads)).sort_values("t_ns", kind="stable")
    ends = {"reads": reads["last_offset"], "commits": e.run.commits["to_offset"] - 1}
    tables = {"reads": reads, "commits": e.run.commits}
    polled, stored = (
        f.assign(edge=place(f["partition"].to_numpy(), ends[name].to_numpy())).astype({"worker": str})
        for name, f in tables.items()
    )
    last = polled[["worker", "edge", "t_ns", "life", "rebalance_no"]]
    both = pd.merge_asof(stored.sort_values("t_ns", kind="stable"), last, on="t_ns", by=["worker", "edge"])
    elsewhere = both["life"].isna() & both["edge"].isin(polled["edge"])  # what nobody polled is missing or skipped
    yield from (
        f"{c.worker} stored offsets up to {c.to_offset:,} of partition {c.partition}, which it had not polled"
        for c in each(both[elsewhere])
    )
    pairs = both.dropna(subset=["life"])[
        ["worker", "life", "partition", "rebalance_no", "owner_epoch"]
    ].drop_duplicates()
    for keys in (["worker", "life", "partition", "rebalance_no"], ["partition", "owner_epoch"]):
        twice = pairs[pairs.duplicated(keys)]
        yield from (
            f"{p.worker} stored of partition {p.partition} in epoch {p.owner_epoch} under number {p.rebalance_no:g},"
            " which belong to others"
            for p in each(twice)
        )


def _noted_otherwise(e: Evidence) -> Iterator[str]:
    """Callbacks that a processor noted in the store, too. The notes of one that was ended went with it."""
    noted = e.run.events.astype({"process": str, "event": str, "detail": str})
    noted = noted[noted["event"].isin(CALLBACKS)]
    ours = [(g.t_ns, _callback(g.worker, g.event, g.partitions, g.rebalance_no)) for g in each(e.run.group)]
    theirs = []
    for note in each(noted):
        detail = msgspec.json.decode(note.detail)
        what = _callback(note.process, note.event, detail.get("partitions", []), detail.get("rebalance_no", -1))
        theirs.append((note.t_ns, what))
    windows = e.fault_windows
    ended = {*windows.loc[windows["kind"].isin(ENDING), "node"], *e.run.manifest.workers_died}
    yield from unlike_events(e, ours, theirs, may_lack=lambda what: what.split()[0] in ended)


def _callback(worker: str, event: str, partitions: Any, number: int) -> str:
    return f"{worker} {event} {' '.join(map(str, partitions))} as number {number}"


def _positions_elsewhere(e: Evidence) -> Iterator[str]:
    """Positions that are not where the last transaction ended; where one may be missing, nobody knows."""
    accepted = e.run.commits[~e.run.commits["refused"]]
    reached = accepted.groupby("partition")["to_offset"].max().to_dict()
    for p in each(e.run.positions.head(0) if unnoted(e) else e.run.positions):
        if p.next_offset != (end := reached.get(p.partition, 0)):
            yield f"partition {p.partition}: its position is {p.next_offset:,}, it is stored up to {end:,}"


def _miscounted(e: Evidence) -> Iterator[str]:
    """Numbers of alerts and dead letters of a transaction that its records do not have."""
    accepted = e.run.commits[~e.run.commits["refused"]]
    partition = accepted["partition"].to_numpy()
    low, high = (place(partition, accepted[edge].to_numpy()) for edge in ("from_offset", "to_offset"))
    for name, there in _effects(e).items():
        found = np.searchsorted(there, high) - np.searchsorted(there, low)
        wrong = accepted.assign(found=found)[accepted[name].to_numpy() != found]
        for c in each(wrong):
            where = f"partition {c.partition}, {c.from_offset:,}–{c.to_offset - 1:,}"
            yield f"{where}: {c.worker} noted {getattr(c, name)} {name.replace('_', ' ')}, there are {c.found}"


def _effects(e: Evidence) -> dict[str, Ints]:
    """Places of records that became dead letters, and of those that raised an alert. Alerts of readings that the log
    holds no more, or twice, have no place of their own."""
    letters = e.run.dead_letters
    places = {"dead_letters": np.unique(place(letters["partition"].to_numpy(), letters["offset"].to_numpy()))}
    if len(e.log_place) == int(e.in_log.sum()) and not (e.stored & ~e.in_log).any():
        table = e.alerts[e.alerts["sink"] == "table"].drop_duplicates("alert_id")
        key = e.keys(table)
        row = e.log_row[key[key >= 0]]
        places["alerts"] = np.sort(e.log_place[row[row >= 0]])
    return places
