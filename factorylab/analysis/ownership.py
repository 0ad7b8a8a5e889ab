"""Who had each partition in the consumer group, told twice: by the members' callbacks, and by the group's description.

The two differ: a killed member is in the description until its session is over, and has lost its partitions at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from factorylab.analysis.intervals import assignments
from factorylab.analysis.looks import gaps
from factorylab.analysis.service import Gap, fault_windows
from factorylab.analysis.spans import outside
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import Run, each

STILL = ("kill", "terminate", "pause", "restart")  # a processor under one of these works on nothing
Spans = dict[int, list[tuple[int, int, str]]]
"""By partition: from, to (ns) and the member, in the order of time."""


@dataclass(frozen=True)
class Owners:
    """Who had each partition, as far as it was told: between `start_ns` and `end_ns`."""

    spans: Spans
    start_ns: int
    end_ns: int


def owned_by_callbacks(run: Run) -> Owners:
    """When a running member had each partition, from the steady state on: assigned and not revoked, its process neither
    dead nor frozen by a fault."""
    still: dict[str, list[tuple[int, int]]] = {}
    for window in each(fault_windows(run)):
        if window.kind in STILL:
            healed_ns = int(window.healed_ns) if window.healed_ns > 0 else FOREVER_NS
            still.setdefault(str(window.node), []).append((int(window.injected_ns), healed_ns))
    found: Spans = {}
    for span in each(assignments(run)):
        whole = (run.t0_ns + round(span.start_s * NS), run.t0_ns + round(span.end_s * NS))
        parts = outside(still.get(span.worker, []), whole)
        found.setdefault(int(span.partition), []).extend((start, end, str(span.worker)) for start, end in parts)
    return _from_steady(found, run.t0_ns, _end_ns(run))


def owned_by_description(run: Run) -> Owners | None:
    """When the group named an owner of each partition, from the steady state on. Each answer holds until the next; the
    probe asks five times a second. None where nobody ever answered, or not for longer than BLIND_S: a group without
    members leaves no sample either."""
    looks: dict[int, dict[int, str]] = {}
    for row in each(run.members):
        named = looks.setdefault(int(row.t_ns), {})
        named.update({int(partition): str(row.member) for partition in row.partitions})
    times = sorted(looks)
    start_ns, end_ns = run.t0_ns, _end_ns(run)
    if not times or gaps(np.array(times), (start_ns, end_ns)):
        return None
    found: Spans = {}
    for at, then in pairwise(times):
        for partition, member in looks[at].items():
            found.setdefault(partition, []).append((at, then, member))
    return _from_steady(found, max(start_ns, times[0]), min(end_ns, times[-1]))


def unowned(run: Run, owners: Owners) -> dict[int, Gap]:
    """The longest time of each partition without an owner, from the steady state to the drain; censored where none came
    any more."""
    return {p: _longest(owners, owners.spans.get(p, [])) for p in range(run.scenario.topology.partitions)}


def moves(owners: Owners) -> int:
    """How often a partition came to another member than the one that had it before."""
    return sum(before != after for before, after in _successions(owners))


def read_again(run: Run) -> int:
    """Records that were polled again after they had been polled before, by whomever: offsets of a topic in which each
    holds a record."""
    again = 0
    for _, polls in run.reads.sort_values(["first_offset", "last_offset"], kind="stable").groupby("partition"):
        reached = -1
        for poll in each(polls):
            again += max(min(poll.last_offset, reached) - poll.first_offset + 1, 0)
            reached = max(reached, poll.last_offset)
    return again


def _end_ns(run: Run) -> int:
    return run.phases.get("drain", run.last_ns)


def _from_steady(spans: Spans, start_ns: int, end_ns: int) -> Owners:
    """What ended before the steady state, or began after the end, is no part of it."""
    kept = {p: sorted(span for span in of if span[0] < end_ns and span[1] > start_ns) for p, of in spans.items()}
    return Owners(kept, start_ns, end_ns)


def _longest(owners: Owners, spans: list[tuple[int, int, str]]) -> Gap:
    gaps = outside([(start, end) for start, end, _ in spans], (owners.start_ns, owners.end_ns))
    found = [Gap(start, end, censored=end == owners.end_ns) for start, end in gaps]
    return max(found, key=lambda gap: gap.seconds, default=Gap(owners.start_ns, owners.start_ns))


def _successions(owners: Owners) -> Iterator[tuple[str, str]]:
    for spans in owners.spans.values():
        yield from pairwise(member for _, _, member in spans)
