"""The times of processors: polls, transactions, and what the group told them.

A processor does one thing after the other, and notes each when it is done: a poll, the transaction that stores it, the
next poll. So its notes have an order by their offsets, and their times must have the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.matching import latest, previous, shared_keys
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.checks.processors import lives
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import FOREVER_NS

NOTES = ("reads", "commits", "group")


@check(
    "Each processor polled before it stored, and stored before it polled what follows.", "times cannot be", "INVALID",
    of_times=True, needs="journal",
)  # fmt: skip
def work_times(e: Evidence) -> Found:
    """That a naive processor reads again what it has stored is what it is there for."""
    reads, commits = e.run.reads, e.run.commits
    noted, told = commits["t_ns"].to_numpy(), commits["begun_ns"].to_numpy()
    begun = np.where(told >= 0, told, noted)  # before schema version 6 not noted
    late = int((begun > noted).sum())
    cases = [
        Impossible(late, "transactions were noted before they began", ("commits",)),
        _stored_before_polled(reads, commits, begun),
        *_before_birth(e),
    ]
    if e.run.scenario.clients.positions_in_store:
        cases += [_polled_before_stored(reads, commits[~commits["refused"]]), _not_in_turn(commits)]
    return found(cases, len(reads) + len(commits) + len(e.run.group))


def _edge(frame: pd.DataFrame, offset: str, shift: int = 0) -> tuple[pd.Series[str], Ints]:
    """Worker and place of each row."""
    return frame["worker"], place(frame["partition"].to_numpy(), frame[offset].to_numpy() + shift)


def _stored_before_polled(reads: pd.DataFrame, commits: pd.DataFrame, begun: Ints) -> Impossible:
    """Transactions that end with a record that their processor polled later only. One that it never polled is missing,
    not early."""
    key, of_key = shared_keys(_edge(commits, "to_offset"), _edge(reads, "last_offset", 1))
    polled = reads["t_ns"].to_numpy()
    first = latest(key, FOREVER_NS, of_key, -polled)
    early = int((begun < polled[first])[first >= 0].sum()) if len(reads) else 0
    return Impossible(early, "transactions were noted before the poll that they store", ("reads", "commits"))


def _polled_before_stored(reads: pd.DataFrame, accepted: pd.DataFrame) -> Impossible:
    """A processor polls on where its transaction ended, once that is stored."""
    key, of_key = shared_keys(_edge(reads, "first_offset"), _edge(accepted, "to_offset"))
    stored = accepted["t_ns"].to_numpy()
    last = latest(key, FOREVER_NS, of_key, stored)
    early = int((reads["t_ns"].to_numpy() < stored[last])[last >= 0].sum()) if len(accepted) else 0
    return Impossible(early, "polls were noted before the transaction that they follow", ("reads", "commits"))


def _not_in_turn(commits: pd.DataFrame) -> Impossible:
    """Transactions of one owner's epoch that were noted before one of lower offsets."""
    accepted = commits[~commits["refused"]].sort_values("from_offset", kind="stable")
    noted = accepted["t_ns"].to_numpy()
    row = previous(accepted["partition"].to_numpy(), accepted["owner_epoch"].to_numpy())
    late = int((noted < noted[row])[row >= 0].sum())
    return Impossible(late, "transactions were not noted in their order", ("commits",))


def _before_birth(e: Evidence) -> Iterator[Impossible]:
    """Rows of a process from before it began."""
    for table in NOTES:
        rows = e.run.frame(table, "worker", "t_ns")
        unborn = int((lives(e, rows)[rows["worker"].isin(e.run.workers["worker"].unique())] == 0).sum())
        yield Impossible(unborn, f"rows of {table} are from before their process began", (table,))
