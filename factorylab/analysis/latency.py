"""End-to-end latency: from the intended send of a reading to the commit that stored it.

From the intended time, not the actual one, so that a stall cannot hide itself (open loop). Offsets come from the
final read, not from acks, so that the slowest records, unanswered but written, are in it. A record whose commit was
not journaled (its processor was killed just then) has no latency.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

BEHIND = 0.05
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
    """One row for each stored reading of known commit, from the steady state on: t_s (intended), latency_s."""
    readings = readings or Readings(run)
    both = readings.in_log & readings.stored
    record, send = readings.log_row[both], readings.send_row[both]
    committed = commit_ns(run, *(readings.log[name].to_numpy()[record] for name in ("partition", "offset")))
    intended = run.frame("sends", "t_intended_ns")["t_intended_ns"].to_numpy()[send]
    kept = (committed >= 0) & (intended >= run.t0_ns)
    committed, intended = committed[kept], intended[kept]
    return pd.DataFrame({"t_s": (intended - run.t0_ns) / NS, "latency_s": (committed - intended) / NS})


def over_time(found: pd.DataFrame, bin_s: float = 0.5) -> pd.DataFrame:
    """Quantiles of `latencies` by intended time: t_s (start of the bin), n, p50_s, p90_s, p99_s, max_s."""
    slot = np.floor(found["t_s"] / bin_s).astype(int)
    groups = found["latency_s"].groupby(slot)
    table = pd.DataFrame({"n": groups.size(), **{name: groups.quantile(q) for name, q in QUANTILES.items()}})
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)


def steps(run: Run, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """How the system kept up with each offered rate, one row a stage; the return to the first rate is left out.

    Columns: rate_per_s (declared), start_s, end_s, offered_per_s (by intended time), achieved_per_s (stored while the
    stage lasted), p50_s and p99_s by intended time, lag_slope_per_s (growth of the consumer lag), keeps_up: what is
    offered and not stored grows by less than BEHIND of the offered rate. The consumer lag alone would not do: where
    the producers cannot follow, the backlog waits in front of the log.
    """
    table = rates.stages(run).head(1 + len(run.scenario.workload.steps_per_s))
    found = latencies(run) if found is None else found
    offered = np.sort(run.frame("sends", "t_intended_ns")["t_intended_ns"].to_numpy())
    commits = run.commits[~run.commits["refused"]]
    lags = rates.total_lag(run)
    rows = []
    for stage in each(table):
        start_s, end_s = stage.start_s, stage.end_s
        edges = (np.array([start_s, end_s]) * NS).astype(np.int64) + run.t0_ns
        inside = found.loc[found["t_s"].between(start_s, end_s), "latency_s"]
        offered_per_s = float(np.diff(np.searchsorted(offered, edges))[0] / (end_s - start_s))
        achieved_per_s = float(commits.loc[commits["t_ns"].between(*edges), "rows"].sum() / (end_s - start_s))
        rows.append(
            {
                "offered_per_s": offered_per_s,
                "achieved_per_s": achieved_per_s,
                "p50_s": inside.quantile(0.5),
                "p99_s": inside.quantile(0.99),
                "lag_slope_per_s": rates.slope_per_s(lags, start_s, end_s),
                "keeps_up": offered_per_s - achieved_per_s < BEHIND * offered_per_s,
            }
        )
    return pd.concat([table, pd.DataFrame(rows)], axis=1)
