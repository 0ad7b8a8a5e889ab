"""What became of readings in a program under test. It writes no journal: what is known are its group's committed
offsets as the probe saw them, what it kept in the end, and the faults."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.audit.checks.duplicates import again
from factorylab.audit.explain.case import Case
from factorylab.audit.model.findings import Explanation
from factorylab.core.clock import NS
from factorylab.history.saved_run import each

APART_S = 1.0  # between the due times of two losses that are two stories
NEAR_S = 10.0  # from a commit beyond a record, or from its due time, to a fault that hit the program at work on it
WRITE_FIRST = (
    "committing an offset only once its record is written: with enable.auto.offset.store=false and store_offsets, or a "
    "commit, after the write"
)
KEY = (
    "a unique key on the identity of a record with INSERT … ON CONFLICT DO NOTHING, or output and position in one "
    "transaction"
)


def lost_by_subject(case: Case, lost: pd.DataFrame) -> Iterator[Explanation]:
    """In the log, below the group's committed offset, and not in the program's output. `lost` as of `Case.sent`."""
    for p, group in _stories(lost):
        first, last = int(group["offset"].min()), int(group["offset"].max())
        seen = _committed_beyond(case, p, first, last)
        evidence = [told for _, told in seen]
        if seen:
            evidence += case.faults_near(seen[0][0], seen[-1][0] + round(NEAR_S * NS))
        yield case.tell(
            "lost_in_pipeline",
            group,
            event="their offset was committed, and they are not in the program's output",
            evidence=evidence or ["no look of the probe at the committed offset is about them"],
            cure=WRITE_FIRST,
            epoch=case.epochs.of_place(p, first),
        )


def _stories(readings: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Readings of one partition and one moment, by their due times; their columns are those of `Case.sent`."""
    for partition, mine in readings.sort_values("due_ns").groupby("partition"):
        number = (mine["due_ns"].diff() > APART_S * NS).cumsum()
        yield from ((int(str(partition)), group) for _, group in mine.groupby(number))


def _committed_beyond(case: Case, partition: int, first: int, last: int) -> list[tuple[int, str]]:
    """The looks between which the group's committed offset passed some offsets: the last before, the first beyond."""
    lag = case.run.lag
    mine = lag[(lag["partition"] == partition) & lag["valid"]].sort_values("t_ns", kind="stable")
    before, beyond = mine[mine["committed"] <= first], mine[mine["committed"] > last].head(1)
    before = before[before["t_ns"] < beyond["t_ns"].min()].tail(1) if len(beyond) else before.tail(1)
    return [
        (int(s.t_ns), f"the group's offset was {s.committed:,} at {case.seconds(s.t_ns):.1f} s")
        for s in each(pd.concat([before, beyond]))
    ]


def doubled_by_subject(case: Case) -> Iterator[Explanation]:
    """In the program's output more than once, by partition, and by whether the log holds them twice as well."""
    e = case.evidence
    key = np.sort(e.rows.key[again(e.rows.key, e.rows.first)])
    in_log_twice = np.isin(key, e.log.key[again(e.log.key, e.log_row)])
    place = e.log.take(e.log_row[key])
    copies = case.sent(key).assign(
        partition=place["partition"].to_numpy(), offset=place["offset"].to_numpy(), twice=in_log_twice
    )
    for twice, mine in copies.groupby("twice"):
        event = "one record of the log was written to the output more than once"
        for p, group in _stories(mine):
            due_ns = group["due_ns"]
            yield case.tell(
                "duplicate_in_store",
                group,
                event="the log holds them twice, and both copies were kept" if twice else event,
                evidence=case.faults_near(int(due_ns.min()), int(due_ns.max()) + round(NEAR_S * NS)),
                cure=KEY,
                epoch=case.epochs.of_place(p, int(group["offset"].iloc[0])),
            )
