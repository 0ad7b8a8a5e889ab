"""Whether the load generator kept what was declared, stage by stage.

*Lateness* is send − intended: the generator's own share of a reading's latency. A producer whose queue is full refuses
at once (shed), so brokers that stand still do not make a fleet late: lateness is the generator's alone.

A stage is *kept* where as much was offered while it lasted as was declared, and 99 of 100 of its readings were sent in
time. Only readings that were due in a stage count for it: what was left over from an earlier one does not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis import rates
from factorylab.analysis.quantiles import quantiles
from factorylab.analysis.readings import Ints
from factorylab.core.clock import NS
from factorylab.core.scratch import Numbers
from factorylab.history.saved_run import NOT_OFFERED, Run

SHORT = 0.05
"""Of what was declared so much may be missing: silent sensors leave out up to 1.4 %, and a stage is noted up to one
block of readings late."""
LATE_S = 0.5
"""Half of the second after which an alert is late. On two cores p99 was at most 0.2 s in the recorded runs, and 0.36 s
with ten programs waiting for each core."""
LATENESS = {"late_p50_s": 0.5, "late_p99_s": 0.99, "late_max_s": 1.0}


class ByStage:
    """The stages of a run from the steady state on (the warm-up is not judged), and which of them a moment lies in."""

    def __init__(self, run: Run) -> None:
        table = run.once(rates.stages).assign(start_s=lambda stages: stages["start_s"].clip(lower=0))
        self.table = table[table["end_s"] > table["start_s"]].reset_index(drop=True)
        self.start_ns, self.end_ns = (
            np.rint(self.table[name].to_numpy() * NS).astype(np.int64) + run.t0_ns for name in ("start_s", "end_s")
        )

    def of(self, t_ns: Ints) -> Ints:
        """The stage of each moment, −1 outside all of them."""
        if not len(self.table):
            return np.full(len(t_ns), -1)
        stage = np.searchsorted(self.start_ns, t_ns, side="right") - 1
        return np.where(t_ns < self.end_ns[np.maximum(stage, 0)], stage, -1)

    def count(self, stage: Ints) -> Ints:
        """How many of these lie in each stage."""
        return np.bincount(stage[stage >= 0], minlength=len(self.table))

    def split(self, stage: Ints, values: Ints) -> Iterator[Ints]:
        """The values of each stage."""
        order = np.argsort(stage.astype(np.int16), kind="stable")
        return iter(np.split(values[order], np.cumsum(np.bincount(stage + 1, minlength=len(self.table) + 1)))[1:-1])


def offered_load(run: Run) -> pd.DataFrame:
    """One row a stage from the steady state on.

    Columns: rate_per_s (declared), start_s, end_s; of the readings of the stage: due (declared), least (that must be
    offered), recorded (in the journals), offered (while it lasted), not_offered (never), late_p50_s, late_p99_s,
    late_max_s (of those that were sent; NaN where none was); and kept.
    """
    stages = ByStage(run)
    table, late = stages.table, [Numbers("float64") for _ in range(len(stages.table))]
    counts = np.zeros((3, len(table)), dtype=np.int64)
    for chunk in run.chunks("sends", "t_ns", "t_intended_ns", "outcome"):
        sent_ns, never = chunk["t_ns"], chunk.text("outcome").are(NOT_OFFERED)
        stage = stages.of(chunk["t_intended_ns"])
        inside = ~never & (stage >= 0)
        in_time = inside & (sent_ns < (stages.end_ns[stage] if len(table) else 0))
        counts += [stages.count(of) for of in (stage, stage[in_time], stage[never])]
        behind_s = (sent_ns - chunk["t_intended_ns"]) / NS
        for numbers, values in zip(late, stages.split(np.where(inside, stage, -1), behind_s), strict=True):
            numbers.add(values)
    table["due"] = table["rate_per_s"] * (table["end_s"] - table["start_s"])
    table["recorded"], table["offered"], table["not_offered"] = counts
    spread = [quantiles(of, list(LATENESS.values())) for of in late]
    for at, name in enumerate(LATENESS):
        table[name] = [found[at] for found in spread]
    table["least"] = table["due"] - np.maximum(SHORT * table["due"], LATE_S * table["rate_per_s"])
    table["kept"] = (table["offered"] >= table["least"]) & (table["offered"] > 0) & (table["late_p99_s"] <= LATE_S)
    return table
