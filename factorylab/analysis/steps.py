"""How the system kept up with each rate of a run with rate steps.

A step *keeps up* where it was offered as declared and the store had 95 of 100 of its readings within SETTLE_S of its
end. Only readings that were due in the step count: a backlog of an earlier one is neither offered nor achieved in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.latency import PARTS, latencies
from factorylab.analysis.offered_load import ByStage, offered_load
from factorylab.analysis.readings import Ints
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

BEHIND = 0.05
SETTLE_S = 0.5  # what was due last is on its way when a step ends; the fastest steps that keep up have a p99 of 0.4 s
QUANTILES = {
    "p50_s": ("latency_s", 0.5), "p99_s": ("latency_s", 0.99), **{f"{p}_p99_s": (f"{p}_s", 0.99) for p in PARTS}
}  # fmt: skip


def steps(run: Run, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a stage from the steady state on; the return to the first rate is left out.

    Columns of `offered_load`, and of the readings of the stage: acked and stored (within SETTLE_S of its end),
    offered_per_s, achieved_per_s (stored), p50_s and p99_s, p99 of each part of the latency; lag_slope_per_s (growth
    of the consumer lag) and keeps_up.
    """
    found = latencies(run) if found is None else found
    stages, table = ByStage(run), offered_load(run)
    acks = run.frame("sends", "t_intended_ns", "t_ack_ns")
    due_ns = np.rint(found["t_s"].to_numpy() * NS).astype(np.int64) + run.t0_ns
    stored_ns, stage = due_ns + (found["latency_s"].to_numpy() * NS).astype(np.int64), stages.of(due_ns)
    table["acked"] = _settled(stages, stages.of(acks["t_intended_ns"].to_numpy()), acks["t_ack_ns"].to_numpy())
    table["stored"] = _settled(stages, stage, stored_ns)
    lasted_s = table["end_s"] - table["start_s"]
    table["offered_per_s"], table["achieved_per_s"] = table["offered"] / lasted_s, table["stored"] / lasted_s
    for name, (column, q) in QUANTILES.items():
        table[name] = found[column].groupby(stage).quantile(q).reindex(table.index)
    lags = rates.total_lag(run)
    table["lag_slope_per_s"] = [rates.slope_per_s(lags, s.start_s, s.end_s) for s in each(table)]
    table["keeps_up"] = table["kept"] & (table["stored"] >= (1 - BEHIND) * table["due"])
    return table.head(1 + len(run.scenario.workload.steps_per_s))


def _settled(stages: ByStage, stage: Ints, done_ns: Ints) -> Ints:
    """How many readings of each stage were done (−1: never) SETTLE_S after its end at the latest."""
    limit_ns = np.append(stages.end_ns, 0) + int(SETTLE_S * NS)  # the last is that of stage −1, outside all of them
    return stages.count(stage[(done_ns >= 0) & (done_ns <= limit_ns[stage])])
