"""How the system kept up with each rate of a run with rate steps.

A step *keeps up* where it was offered as declared and the store had 95 of 100 of its readings within SETTLE_S of its
end. Only readings that were due in the step count: a backlog of an earlier one is neither offered nor achieved in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.latency import COLUMNS, PARTS, measured
from factorylab.analysis.offered_load import ByStage, offered_load
from factorylab.analysis.quantiles import quantiles
from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import NS
from factorylab.core.scratch import Numbers
from factorylab.history.saved_run import Run, each

BEHIND = 0.05
SETTLE_S = 0.5  # what was due last is on its way when a step ends; the fastest steps that keep up have a p99 of 0.4 s
QUANTILES = {
    "p50_s": ("latency_s", 0.5), "p99_s": ("latency_s", 0.99), **{f"{p}_p99_s": (f"{p}_s", 0.99) for p in PARTS}
}  # fmt: skip


def steps(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """One row a stage from the steady state on; the return to the first rate is left out.

    Columns of `offered_load`, and of the readings of the stage: acked and stored (within SETTLE_S of its end),
    offered_per_s, achieved_per_s (stored), p50_s and p99_s, p99 of each part of the latency; lag_slope_per_s (growth
    of the consumer lag) and keeps_up.
    """
    stages, table = ByStage(run), offered_load(run)
    table["acked"] = table["stored"] = 0
    for chunk in run.chunks("sends", "t_intended_ns", "t_ack_ns"):
        table["acked"] += _settled(stages, stages.of(chunk["t_intended_ns"]), chunk["t_ack_ns"])
    seconds = {name: [Numbers("float64") for _ in range(len(table))] for name in COLUMNS[1:]}
    for found in measured(run, readings or Readings(run)):
        due_ns = np.rint(found["t_s"] * NS).astype(np.int64) + run.t0_ns
        stage = stages.of(due_ns)
        table["stored"] += _settled(stages, stage, due_ns + (found["latency_s"] * NS).astype(np.int64))
        for name, of in seconds.items():
            for numbers, values in zip(of, stages.split(stage, found[name]), strict=True):
                numbers.add(values[~np.isnan(values)])
    lasted_s = table["end_s"] - table["start_s"]
    table["offered_per_s"], table["achieved_per_s"] = table["offered"] / lasted_s, table["stored"] / lasted_s
    for name, (column, q) in QUANTILES.items():
        table[name] = [quantiles(numbers, [q])[0] for numbers in seconds[column]]
    lags = rates.total_lag(run)
    table["lag_slope_per_s"] = [rates.slope_per_s(lags, s.start_s, s.end_s) for s in each(table)]
    table["keeps_up"] = table["kept"] & (table["stored"] >= (1 - BEHIND) * table["due"])
    return table.head(1 + len(run.scenario.workload.steps_per_s))


def _settled(stages: ByStage, stage: Ints, done_ns: Ints) -> Ints:
    """How many readings of each stage were done (−1: never) SETTLE_S after its end at the latest."""
    limit_ns = np.append(stages.end_ns, 0) + int(SETTLE_S * NS)  # the last is that of stage −1, outside all of them
    return stages.count(stage[(done_ns >= 0) & (done_ns <= limit_ns[stage])])
