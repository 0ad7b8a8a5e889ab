"""What is known of one reading: its steps with their moments, found in a saved run (`analysis.trace`) or in a lab that
is up (`trace_live`) and shown the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec


class TraceStep(NamedTuple):
    """`at` is None for what is known without a moment; `by` is a worker, `where` topic/partition/offset or a table."""

    step: str
    at: datetime | None = None
    by: str = ""
    where: str = ""
    detail: str = ""


class Passed(msgspec.Struct, frozen=True):
    """A step as it is shown; `since_start_s` and `gap_s` count from the first step and from the one before."""

    step: str
    at: datetime | None
    since_start_s: float | None
    gap_s: float | None
    by: str
    where: str
    detail: str


class Trace(msgspec.Struct, frozen=True):
    """`source` says where the steps were found."""

    correlation_id: str
    source: str
    steps: list[Passed]

    @classmethod
    def of(cls, correlation_id: str, source: str, steps: Sequence[TraceStep]) -> Trace:
        """Steps in the order of time, those without a moment last."""
        return cls(correlation_id, source, list(_passed(steps)))

    def lines(self) -> Iterator[str]:
        """For a person: one line a step."""
        yield f"{self.correlation_id} ({self.source})"
        for one in self.steps:
            at = f"{one.at:%H:%M:%S.%f}" if one.at else ""
            gap = "" if one.gap_s is None else f"+{one.gap_s:.6f} s"
            rest = "  ".join(filter(None, (one.by, one.where, one.detail)))
            yield f"{at:<15}  {gap:>14}  {one.step:<13} {rest}"


def _passed(steps: Sequence[TraceStep]) -> Iterator[Passed]:
    first = before = None
    for one in steps:
        since = gap = None
        if one.at is not None:
            first, before = first or one.at, before or one.at
            since, gap = (one.at - first).total_seconds(), (one.at - before).total_seconds()
            before = one.at
        yield Passed(one.step, one.at, since, gap, one.by, one.where, one.detail)
