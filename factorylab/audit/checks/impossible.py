"""What the checks of times have in common: moments that cannot be, and the tables that they stand in.

All times are of one clock, the monotonic one of one boot, whatever process wrote them down (`core.clock`), and in
nanoseconds. So a cause is never later than its effect, by any tolerance; equal times are possible, since a block of
readings shares one time and a clock may be read twice within its resolution.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Found


class Impossible(NamedTuple):
    """So many `moments` that cannot be, in words; `tables` are those that may hold the wrong time."""

    moments: int
    words: str
    tables: tuple[str, ...]


def found(cases: Iterable[Impossible], n: int) -> Found:
    """Those of the cases that there are, of `n` moments."""
    there = [case for case in cases if case.moments]
    words = [f"{case.moments:,} {case.words}" for case in there]
    distrusted = frozenset(table for case in there for table in case.tables)
    count = sum(case.moments for case in there)
    witnesses = [Witness(note=word) for word in words[:WITNESSES]]
    return Found(count, n, "; ".join(words[:WITNESSES]), witnesses, distrusted=distrusted)
