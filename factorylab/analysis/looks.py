"""Looks of the probe: samples that say something, and the stretches without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints
from factorylab.analysis.spans import joined, outside
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run

BLIND_S = 2.0  # an answer takes at most 1 s and is written for 0.5 s more; on recorded runs the longest gap is 0.7 s
OLDEST_ANSWER_S = 1.5  # so a sample says what held up to so long before it was written

Spans = Sequence[tuple[int, int]]
"""Stretches of time, from and to in ns."""


def gaps(looks: Ints, window: tuple[int, int], limit_s: float = BLIND_S, excused: Spans = ()) -> list[tuple[int, int]]:
    """Where no look was for longer than `limit_s` in a window, apart from what is excused."""
    inside = np.unique(looks[(looks >= window[0]) & (looks <= window[1])])
    edges = np.concatenate([[window[0]], inside, [window[1]]])
    wide = np.flatnonzero(np.diff(edges) > limit_s * NS)
    parts = (part for i in wide for part in outside(excused, (int(edges[i]), int(edges[i + 1]))))
    return [(a, b) for a, b in parts if b - a > limit_s * NS]


def leader_looks(run: Run, partition: int) -> Ints:
    """When a broker was heard of a partition's leader and ISR: an epoch is told, or a leader named."""
    samples = run.partitions
    told = (samples["leader"] >= 0) | (samples["epoch"] >= 0)
    return times(samples[told & (samples["partition"] == partition)])


def unled(run: Run, from_ns: int, until_ns: int) -> list[tuple[int, int]]:
    """When no broker was heard of some partition for longer than BLIND_S, for whatever reason."""
    partitions = range(run.scenario.topology.partitions)
    return joined(gap for p in partitions for gap in gaps(leader_looks(run, p), (from_ns, until_ns)))


def times(samples: pd.DataFrame) -> Ints:
    """The moments of some rows, ns."""
    return samples["t_ns"].to_numpy(dtype=np.int64)
