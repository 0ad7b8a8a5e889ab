"""What a run with rate steps is made for: the highest rate that was kept, and what gave way at the next one.

Readings pass the generator, the brokers, the processors and the store. At the first rate that was not kept, the
generator gave way where it did not offer what was declared: what lies behind it was not put to the test. Else it is
the place that held back most readings of the step. Processors and store work in turns in one thread, so of these two it
is the one that took most of the processors' time.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from factorylab.analysis.steps import SETTLE_S
from factorylab.core.clock import NS
from factorylab.core.measures import Limit
from factorylab.history.saved_run import Run, each
from factorylab.history.table_chunks import UNKNOWN

BUSY = 0.05  # of a processor; who used less is not worth naming


def limit(run: Run, table: pd.DataFrame) -> Limit:
    """How far a run with these `steps` went: the highest rate below the lowest one that was not kept."""
    ordered = table.sort_values("rate_per_s", kind="stable")
    failed = ordered[~ordered["keeps_up"]]
    below = ordered if failed.empty else ordered[ordered["rate_per_s"] < failed["rate_per_s"].iloc[0]]
    kept = float(below["rate_per_s"].iloc[-1]) if len(below) else None
    if failed.empty:
        return Limit(kept)
    step = next(each(failed))
    place, evidence = gave_way(run, step)
    return Limit(kept, float(step.rate_per_s), place, [*evidence, cpu_use(run, step)])


def gave_way(run: Run, step: Any) -> tuple[str, list[str]]:
    """Where the readings of a step were held back, and how that is known."""
    if not step.kept:
        sent = "none was ever sent" if pd.isna(step.late_p99_s) else f"lateness p99 {step.late_p99_s:.2f} s"
        told = f"{step.offered:,} of {step.due:,.0f} readings due were offered while the step lasted, {sent}"
        return "generator", [told + f", {step.not_offered:,} were never offered"]
    unacked, unstored = step.offered - step.acked, step.acked - step.stored
    if unacked >= unstored:
        told = f"{unacked:,} of {step.offered:,} offered readings were not acknowledged {SETTLE_S:g} s after the step"
        return "brokers", [f"{told}, send to acknowledgement p99 {step.kafka_p99_s:.2f} s"]
    told = f"{unstored:,} of {step.acked:,} acknowledged readings were not stored {SETTLE_S:g} s after the step"
    told += f", acknowledgement to store p99 {step.pipeline_p99_s:.2f} s"
    share = store_share(run, step.start_s, step.end_s)
    if share is None:
        return "processors or store", [told, "how long transactions took was not recorded before schema version 6"]
    word = f"transactions took {share:.0%} of the processors' time"
    return ("store" if share > 1 / 2 else "processors"), [told, word]


def store_share(run: Run, start_s: float, end_s: float) -> float | None:
    """The share of the processors' time that store transactions took; None where it was not recorded."""
    commits = run.frame("commits", "t_ns", "begun_ns")
    commits = commits[run.seconds(commits["t_ns"]).between(start_s, end_s)]
    if commits.empty or (commits["begun_ns"] == UNKNOWN).any():
        return None
    took_s = float((commits["t_ns"] - commits["begun_ns"]).sum()) / NS
    return took_s / ((end_s - start_s) * run.scenario.clients.processors)


def cpu_use(run: Run, step: Any) -> str:
    """Who used how much CPU during a step, the most first."""
    samples = run.frame("processes", "t_ns", "name", "pid", "cpu_s")
    inside = samples[run.seconds(samples["t_ns"]).between(step.start_s, step.end_s)]
    groups = inside.groupby(["name", "pid"], observed=True)[["t_ns", "cpu_s"]]
    spans = groups.max() - groups.min()
    used = (spans["cpu_s"] / (spans["t_ns"] / NS)).groupby("name", observed=True).max().sort_values(ascending=False)
    said = ", ".join(f"{name} {share:.2f}" for name, share in used[used >= BUSY].items())
    return f"CPUs in use: {said or 'not observed'} (of {run.manifest.host.cores} cores)"
