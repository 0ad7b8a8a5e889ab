"""Leader epochs: who led a partition from when on, and from which offset on the log is theirs.

Times come from the probe's samples (known to its period), offsets from the final read, which notes the epoch of each
record, and from the brokers' logs, which also know of epochs that hold no record.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from factorylab.analysis.broker_log import LogEvent, events
from factorylab.analysis.readings import Ints
from factorylab.history.saved_run import Run, each


@dataclass(frozen=True)
class Term:
    """A leader of a partition in one epoch: seen from `first_ns` to `last_ns`, in sync at first and at last."""

    partition: int
    epoch: int
    leader: int
    first_ns: int
    last_ns: int
    isr_first: tuple[int, ...]
    isr_last: tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """`before` ended and `after` began; from `offset` on (−1: unknown) the log is of the new epoch."""

    before: Term
    after: Term
    offset: int

    @property
    def clean(self) -> bool:
        """The new leader was in sync when the old one was last seen."""
        return self.after.leader in self.before.isr_last


def cut_by(changes: list[Change], offset: Ints, t_ns: Ints) -> Ints:
    """By record that is gone and was acknowledged at `t_ns`: which change of its partition took it away, −1 none.

    The first after it whose epoch begins at or below the offset; else the last before it, whose former leader went on
    confirming.
    """
    found = np.full(len(offset), -1)
    settled = np.zeros(len(offset), dtype=bool)
    for number, change in enumerate(changes):
        fits = ~settled & (change.offset >= 0) & (change.offset <= offset)
        found[fits] = number
        settled |= fits & (change.after.first_ns >= t_ns)
    return found


class Epochs:
    """Terms and boundaries of all partitions of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def log_events(self) -> list[LogEvent]:
        return events(self.run)

    @cached_property
    def starts(self) -> dict[tuple[int, int], int]:
        """(partition, epoch) → the first offset of the epoch."""
        told = {(e.partition, e.epoch): e.offset for e in self.log_events if e.kind == "leader"}
        return told | {(s.partition, s.epoch): s.first_offset for s in each(self.run.epochs) if s.epoch >= 0}

    @cached_property
    def terms(self) -> dict[int, list[Term]]:
        """By partition: its terms in the order of epochs. A sample without a leader counts for no term."""
        samples = self.run.partitions
        samples = samples[samples["leader"] >= 0].sort_values("t_ns", kind="stable")
        return {int(str(p)): _terms(int(str(p)), mine) for p, mine in samples.groupby("partition")}

    def changes(self, partition: int) -> list[Change]:
        """Each change of the leader epoch, in order; with the offset at which the new epoch begins."""
        mine = self.terms.get(partition, [])
        return [
            Change(before, after, self.starts.get((partition, after.epoch), -1)) for before, after in pairwise(mine)
        ]

    def term_at(self, partition: int, t_ns: int) -> Term | None:
        """The newest term that was seen at `t_ns` or before."""
        seen = [term for term in self.terms.get(partition, []) if term.first_ns <= t_ns]
        return seen[-1] if seen else None

    def written_in(self, partition: int, t_ns: int) -> int:
        """The epoch that was the newest at this moment, for what is not in the log; −1 where none had been seen."""
        term = self.term_at(partition, t_ns)
        return term.epoch if term else -1

    def of_place(self, partition: int, offset: int) -> int:
        """The epoch that the record at this place in the log was written in; −1 where nobody noted it."""
        found = [(first, epoch) for (p, epoch), first in self.starts.items() if p == partition and 0 <= first <= offset]
        return max(found, default=(-1, -1))[1]

    def isr_at(self, partition: int, t_ns: int) -> tuple[int, ...]:
        """The replicas in sync by the last sample up to `t_ns`."""
        samples = self.run.partitions
        mine = samples[(samples["partition"] == partition) & (samples["t_ns"] <= t_ns) & (samples["leader"] >= 0)]
        return tuple(sorted(mine.sort_values("t_ns")["isr"].iloc[-1])) if len(mine) else ()


def _terms(partition: int, samples: pd.DataFrame) -> list[Term]:
    """A broker that was cut off may be heard with an old epoch after the new one: only the newest counts."""
    newest = samples["epoch"].cummax()
    found = []
    for epoch, mine in samples[samples["epoch"] == newest].groupby("epoch"):
        first, last = each(mine.iloc[[0, -1]])
        found.append(
            Term(
                partition=partition,
                epoch=int(str(epoch)),
                leader=last.leader,
                first_ns=first.t_ns,
                last_ns=last.t_ns,
                isr_first=tuple(sorted(first.isr)),
                isr_last=tuple(sorted(last.isr)),
            )
        )
    return found
