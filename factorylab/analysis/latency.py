"""End-to-end latency: from the intended send of a reading to the commit that stored it, and whose share is what.

    intended ── generator ──> sent ── Kafka ──> acknowledged ── pipeline ──> stored

From the intended time, not the actual one, so that a stall cannot hide itself (open loop). Offsets come from the
final read, not from acks, so that the slowest records, unanswered but written, are in it. A record whose commit was
not journaled (its processor was killed just then) has no latency.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run

PARTS = ("generator", "kafka", "pipeline")
QUANTILES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99, "max_s": 1.0}


def commit_ns(run: Run, partition: Ints, offset: Ints, *, or_next: bool = False) -> Ints:
    """When each (partition, offset) was committed by the store, −1 where no journaled transaction covers it.

    With `or_next` the next journaled transaction of the partition stands in for one that is missing: what the store
    holds was committed before that.
    """
    commits = run.frame("commits", "partition", "from_offset", "to_offset", "t_ns", "refused")
    found = np.full(len(offset), -1)
    accepted = commits[~commits["refused"]].sort_values("from_offset", kind="stable")
    for number, mine in accepted.groupby("partition"):
        start, end, t_ns = (mine[name].to_numpy() for name in ("from_offset", "to_offset", "t_ns"))
        here = np.flatnonzero(partition == number)
        row = np.searchsorted(start, offset[here], side="right") - 1
        covered = (row >= 0) & (offset[here] < end[row])
        found[here[covered]] = t_ns[row[covered]]
        if or_next:
            later = np.flatnonzero(~covered & (row + 1 < len(start)))
            found[here[later]] = t_ns[row[later] + 1]
    return found


def latencies(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """One row for each stored reading of known commit, from the steady state on: t_s (intended), latency_s, and its
    parts generator_s, kafka_s and pipeline_s. The last two are NaN without an acknowledgement; a consumer may be
    quicker than one, so pipeline_s can be a little below zero."""
    readings = readings or Readings(run)
    both = readings.in_log & readings.stored
    record, send = readings.log_row[both], readings.send_row[both]
    committed = commit_ns(run, *(readings.log[name].to_numpy()[record] for name in ("partition", "offset")))
    intended = _of_sends(run, "t_intended_ns", send)
    kept = (committed >= 0) & (intended >= run.t0_ns)
    committed, intended, send = committed[kept], intended[kept], send[kept]
    found = {"t_s": (intended - run.t0_ns) / NS, "latency_s": (committed - intended) / NS}
    sent = _of_sends(run, "t_ns", send)
    found["generator_s"] = (sent - intended) / NS
    del intended
    acked = _of_sends(run, "t_ack_ns", send)
    untold = (acked < 0) | (readings.acks == "0")
    for part, times in (("kafka_s", (sent, acked)), ("pipeline_s", (acked, committed))):
        found[part] = np.subtract(*times[::-1]) / NS
        found[part][untold] = np.nan
    return pd.DataFrame(found, copy=False)


def _of_sends(run: Run, column: str, rows: Ints) -> Ints:
    """A column at some rows of the sends; one at a time, so that no more of them are in memory than are needed."""
    return run.frame("sends", column)[column].to_numpy()[rows]


def over_time(found: pd.DataFrame, bin_s: float = 0.5) -> pd.DataFrame:
    """Quantiles of `latencies` by intended time: t_s (start of the bin), n, p50_s, p90_s, p99_s, max_s."""
    slot = np.floor(found["t_s"] / bin_s).astype(int)
    groups = found["latency_s"].groupby(slot)
    table = pd.DataFrame({"n": groups.size(), **{name: groups.quantile(q) for name, q in QUANTILES.items()}})
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)


def parts_over_time(found: pd.DataFrame, bin_s: float = 0.5) -> pd.DataFrame:
    """The p99 of each part of `latencies` by intended time: t_s (start of the bin), and a column for each of PARTS."""
    slot = np.floor(found["t_s"] / bin_s).astype(int)
    table = found[[f"{part}_s" for part in PARTS]].groupby(slot).quantile(0.99)
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)
