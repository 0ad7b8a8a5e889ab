"""What runner and processors noted in the store as well (`events`), set against their own journals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from factorylab.audit.model.registry import Evidence
from factorylab.core.clock import NS

FIRST_WITH_EVENTS = 3  # schema version; version 2 had those of processors only
NOTED_S = 0.5  # between the two notes, which are microseconds apart on a quiet machine

Note = tuple[int, str]
"""When, and what, in words that are the same in both."""


def unlike_events(
    e: Evidence, ours: Iterable[Note], theirs: Iterable[Note], may_lack: Callable[[str], bool] = lambda _: False
) -> Iterator[str]:
    """Where the journals' notes (`ours`) and those of the store (`theirs`) differ: what one lacks, or has at another
    time. `may_lack`: what may be missing in the store."""
    if e.run.manifest.schema_version < FIRST_WITH_EVENTS:
        return
    times: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, notes in enumerate((ours, theirs)):
        for t_ns, what in notes:
            times[what][side].append(t_ns)
    for what, (mine, stored) in times.items():
        if len(mine) != len(stored):
            if len(stored) > len(mine) or not may_lack(what):
                yield f"{what}: {len(mine)} times in the journals, {len(stored)} times in the store"
            continue
        apart_s = max(abs(a - b) for a, b in zip(sorted(mine), sorted(stored), strict=True)) / NS
        if apart_s > NOTED_S:
            yield f"{what}: journal and store are {apart_s:.1f} s apart"
