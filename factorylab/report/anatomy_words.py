"""The anatomy of a run's stalls in words, and as records for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from factorylab.analysis.anatomy import NO_STALL, anatomy
from factorylab.analysis.contradictions import NOWHERE, Contradiction, contradictions
from factorylab.analysis.stalls import NO_FAULT
from factorylab.audit.judged import JudgedRun
from factorylab.history.saved_run import each
from factorylab.report.plots.waterfall import check_partition, no_stall


def records(run: JudgedRun, partition: int | None = None) -> dict[str, Any]:
    """The rows of `anatomy` under "phases", an unbounded `longest_s` as None, and under "contradictions" what cannot
    be true together.

    Raises:
        UsageError: the run has no such partition.
    """
    frame = _frame(run, partition)
    rows = [
        {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    return {"phases": rows, "contradictions": [found._asdict() for found in _told(run, partition)]}


def lines(run: JudgedRun, partition: int | None = None) -> list[str]:
    """A block of lines a stall, its phases below it, and last what came after and what cannot be true together.

    Raises:
        UsageError: the run has no such partition.
    """
    frame, found = _frame(run, partition), list[str]()
    for _, mine in frame[frame["stall"] != NO_STALL].groupby("stall"):
        found += [_head(mine), *_phase_lines(mine), ""]
    after = frame[frame["stall"] == NO_STALL]
    for (fault, number), mine in after.groupby(["fault", "partition"]):
        found += [f"partition {number}, beside and after the stalls of fault {fault}", *_phase_lines(mine), ""]
    if not found:
        found = [no_stall(partition), ""]
    found += [f"contradiction: {one.words}" for one in _told(run, partition)]
    return found[:-1] if found[-1] == "" else found


def slowest(run: JudgedRun) -> list[dict[str, str]]:
    """A row a stall: its slowest phase, how long that took, and the setting that governs it."""
    found = anatomy(run)
    return [
        {
            "partition": str(row.partition),
            "nothing": "acknowledged" if row.service == "acks" else "stored",
            "from": f"{row.start_s:.1f} s",
            "slowest phase": row.phase.replace("+", " + "),
            "took": f"{'> ' * row.open}{row.stalled_s:.3f} s",
            "governed by": f"{row.setting} = {row.value}" if row.setting else "",
        }
        for row in each(found[found["slowest"]])
    ]


def _frame(run: JudgedRun, partition: int | None) -> pd.DataFrame:
    check_partition(run, partition)
    frame = anatomy(run)
    return frame if partition is None else frame[frame["partition"] == partition]


def _told(run: JudgedRun, partition: int | None) -> list[Contradiction]:
    return [one for one in contradictions(run) if partition is None or one.partition in (NOWHERE, partition)]


def _head(mine: pd.DataFrame) -> str:
    first, last = each(mine.iloc[[0, -1]])
    whose = "no fault" if first.fault == NO_FAULT else f"{first.kind} {first.victim}"
    more = ">" * last.open
    took = f"{more}{mine['stalled_s'].sum():.3f} s from {first.start_s:.3f} s"
    slowest = next(each(mine[mine["slowest"]]))
    governed = f" ({slowest.setting} = {slowest.value})" if slowest.setting else ""
    words = f"partition {first.partition}, {first.service}: {took}, {whose}"
    return f"{words}; slowest: {slowest.phase}{governed}"


def _phase_lines(mine: pd.DataFrame) -> Iterator[str]:
    """Name, beginning, how long it took and between which bounds, and the evidence of its end."""
    for row in each(mine):
        took = row.stalled_s if row.stall != NO_STALL else row.lasted_s
        bounds = f"{row.shortest_s:.3f} to {'?' if math.isinf(row.longest_s) else f'{row.longest_s:.3f}'}"
        ended = row.ended_by or "not seen to end"
        partly = f" of {row.lasted_s:.3f}" if row.stall != NO_STALL and row.lasted_s - took > 0.0005 else ""
        yield f"    {row.phase:<28} {row.start_s:9.3f} s {'>' * row.open:>1}{took:8.3f}{partly} s  [{bounds}]  {ended}"
