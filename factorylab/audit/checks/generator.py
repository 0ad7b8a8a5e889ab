"""Whether the load generator did what the scenario declares: the system was not put to the test where it did not.

A full queue of a producer sheds at once, so brokers that stand still make no fleet late. What is late here is late by
itself: a fleet that gets too little of a processor, was paused, or was asked for more than one process can do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from factorylab.analysis import rates
from factorylab.analysis.offered_load import LATE_S, SHORT
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.history.tables import COUNTS_DUE

SAME_RATE = 1e-6  # of the declared one: fleets write down their shares, whose sum is rounded


@check("Each declared rate was offered, in its time and not late.", "stages were not", "INVALID")
def kept_rate(e: Evidence) -> Found:
    """From the steady state on; the rules and tolerances are those of `analysis.offered_load`."""
    table = e.offered_load
    words = [*_other_plan(e.run), *_without_an_end(e.run)]
    tells = e.run.manifest.schema_version >= COUNTS_DUE
    for s in each(table[~table["kept"] | (tells & (table["recorded"] < table["least"]))]):
        late = "none was sent" if np.isnan(s.late_p99_s) else f"lateness p99 {s.late_p99_s:.3f} s"
        told = f"{s.offered:,} offered of {s.due:,.0f} due while it lasted, {late}, {s.not_offered:,} never offered"
        unknown = s.due - s.recorded
        told += f", {unknown:,.0f} in no journal" if tells and s.recorded < s.least else ""
        words.append(f"{s.rate_per_s:,g}/s from {s.start_s:.1f} s: {told}")
    worst = table["late_p99_s"].max()
    detail = "; ".join(words[:WITNESSES]) or f"lateness p99 {worst:.3f} s at most, allowed {LATE_S:g} s"
    if not tells:
        detail += "; what was due after the last send was not recorded before schema version 6"
    return Found(len(words), len(e.run.scenario.rate_stages), detail, [Witness(note=word) for word in words])


def _other_plan(run: Run) -> Iterator[str]:
    """How the recorded stages differ from the declared ones: their rates, and how long they lasted."""
    declared, stages = run.scenario.rate_stages, run.once(rates.stages)
    wanted, told = [rate for rate, _ in declared], stages["rate_per_s"].tolist()
    if len(told) != len(wanted) or not np.allclose(told, wanted, rtol=SAME_RATE):
        yield f"the fleets took the rates {told}, declared are {wanted}"
        return
    for (rate, lasts_s), stage in zip(declared, each(stages), strict=True):
        lasted_s = stage.end_s - stage.start_s
        if lasts_s is not None and abs(lasted_s - lasts_s) > max(SHORT * lasts_s, LATE_S):
            yield f"{rate:,g}/s lasted {lasted_s:.1f} s of {lasts_s:g} s"


def _without_an_end(run: Run) -> Iterator[str]:
    """Fleets that stopped before they were told to, or that nobody knows to have stopped."""
    if run.manifest.schema_version < COUNTS_DUE:
        return
    workers = run.workers.astype({"worker": str, "role": str})
    stops = run.stages[run.stages["rate_per_s"] == 0].astype({"worker": str}).groupby("worker")["t_ns"].max()
    until = 0 if run.scenario.workload.source is not None else run.phases.get("recover", 0)
    for fleet in sorted(set(workers.loc[workers["role"] == "fleet", "worker"])):
        if fleet not in stops.index:
            yield f"{fleet} never wrote that it stopped: what was due of it then is not known"
        elif stops[fleet] < until:
            yield f"{fleet} stopped {(until - stops[fleet]) / NS:.1f} s too early"
