"""The times of processors: polls, transactions, and what the group told them.

A processor does one thing after the other, and notes each when it is done: a poll, the transaction that stores it, the
next poll. So its notes have an order by their offsets, and their times must have the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from factorylab.analysis.readings import place
from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.model.registry import Evidence, Found, check

NOTES = ("reads", "commits", "group")


@check(
    "Each processor polled before it stored, and stored before it polled what follows.", "times cannot be", "INVALID",
    of_times=True,
)  # fmt: skip
def work_times(e: Evidence) -> Found:
    """That a naive processor reads again what it has stored is what it is there for."""
    reads, commits = e.run.reads, e.run.commits
    begun = commits["begun_ns"].where(commits["begun_ns"] >= 0, commits["t_ns"])  # before schema version 6 not noted
    late = int((begun > commits["t_ns"]).sum())
    cases = [
        Impossible(late, "transactions were noted before they began", ("commits",)),
        _stored_before_polled(reads, commits.assign(t_ns=begun)),
        *_before_birth(e),
    ]
    if e.run.scenario.clients.processor == "fenced":
        cases += [_polled_before_stored(reads, commits[~commits["refused"]]), _not_in_turn(commits)]
    return found(cases, len(reads) + len(commits) + len(e.run.group))


def _by_edge(frame: pd.DataFrame, offset: str, shift: int = 0) -> pd.DataFrame:
    """Worker, place and time of each row, in the order of time."""
    where = place(frame["partition"].to_numpy(), frame[offset].to_numpy() + shift)
    rows = pd.DataFrame({"worker": frame["worker"].astype(str), "edge": where, "t_ns": frame["t_ns"]})
    return rows.sort_values("t_ns", kind="stable")


def _stored_before_polled(reads: pd.DataFrame, commits: pd.DataFrame) -> Impossible:
    """Transactions that end with a record that their processor polled later only. One that it never polled is missing,
    not early."""
    first = _by_edge(reads, "last_offset", 1).drop_duplicates(["worker", "edge"]).rename(columns={"t_ns": "polled_ns"})
    both = _by_edge(commits, "to_offset").merge(first, on=["worker", "edge"])
    early = int((both["t_ns"] < both["polled_ns"]).sum())
    return Impossible(early, "transactions were noted before the poll that they store", ("reads", "commits"))


def _polled_before_stored(reads: pd.DataFrame, accepted: pd.DataFrame) -> Impossible:
    """A processor polls on where its transaction ended, once that is stored."""
    last = _by_edge(accepted, "to_offset").drop_duplicates(["worker", "edge"], keep="last")
    both = _by_edge(reads, "first_offset").merge(last.rename(columns={"t_ns": "stored_ns"}), on=["worker", "edge"])
    early = int((both["t_ns"] < both["stored_ns"]).sum())
    return Impossible(early, "polls were noted before the transaction that they follow", ("reads", "commits"))


def _not_in_turn(commits: pd.DataFrame) -> Impossible:
    """Transactions of one owner's epoch that were noted before one of lower offsets."""
    accepted = commits[~commits["refused"]].sort_values(["partition", "owner_epoch", "from_offset"], kind="stable")
    before = accepted.groupby(["partition", "owner_epoch"], observed=True)["t_ns"].shift()
    return Impossible(
        int((accepted["t_ns"] < before).sum()), "transactions were not noted in their order", ("commits",)
    )


def _before_birth(e: Evidence) -> Iterator[Impossible]:
    """Rows of a process from before it began."""
    born = e.run.workers.astype({"worker": str}).groupby("worker")["t_ns"].min()
    for table in NOTES:
        rows = e.run.frame(table, "worker", "t_ns")
        first = rows["worker"].astype(str).map(born).fillna(0).to_numpy()
        yield Impossible(
            int((rows["t_ns"].to_numpy() < first).sum()),
            f"rows of {table} are from before their process began",
            (table,),
        )
