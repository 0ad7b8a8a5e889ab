"""Small tables for people: the steady state, stored values against limits, several runs at a glance.

What stands in several places comes from `audit.model`: the numbers of a run from `verdict.numbers`, its claims from
`verdict_frames.claims`, its alert latency from `verdict.alerting`. A new column of `summary` is a number there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from factorylab import analysis
from factorylab.analysis import rates
from factorylab.analysis.latency import latencies
from factorylab.analysis.partitioned import SILENT_S
from factorylab.analysis.predicted_words import COMPARED, compared
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model import verdict, verdict_frames
from factorylab.audit.sets.durability import table
from factorylab.audit.sets.recorded import AnyRun
from factorylab.core.clock import NS
from factorylab.scenarios.model import Scenario


def steady(run: JudgedRun) -> pd.DataFrame:
    """One row: what the steady state was declared to be and what it was."""
    ends_ns = run.phases.get("fault_window") or run.phases.get("after") or run.last_ns
    end_s = (ends_ns - run.t0_ns) / NS
    sends = run.offered("t_ns")["t_ns"]
    lags = rates.total_lag(run)
    found = latencies(run)
    inside = found.loc[found["t_s"].between(0, end_s), "latency_s"]
    row = {
        "seconds": round(end_s, 1),
        "declared_per_s": run.scenario.workload.rate_per_s,
        "offered_per_s": round(float(sends.between(run.t0_ns, ends_ns).sum()) / end_s, 1),
        "lag_slope_per_s": round(rates.slope_per_s(lags, 0, end_s), 1),
        "lag_records_max": lags.loc[lags["t_s"].between(0, end_s), "lag_records"].max(),
        "latency_p50_s": round(inside.quantile(0.5), 3),
        "latency_p99_s": round(inside.quantile(0.99), 3),
    }
    return pd.DataFrame([row])


def values(run: JudgedRun, limits: Sequence[float]) -> pd.DataFrame:
    """One row: rows stored, distinct readings among them, rows above each limit (strictly)."""
    rows = run.frame("rows", "sensor", "seq", "value")
    above = {f"above {limit:g}": int((rows["value"] > limit).sum()) for limit in limits}
    distinct = len(rows[["sensor", "seq"]].drop_duplicates())
    return pd.DataFrame([{"rows": len(rows), "distinct": distinct, **above}])


def views_at(run: JudgedRun, fault: int = 0) -> pd.DataFrame:
    """Who saw what while fault number `fault` was held, one row a partition: what clients got (as in
    `analysis.clients_saw`), and whom each broker named as leader, with whom in sync, just before the healing."""
    table = analysis.clients_saw(run, fault).set_index("partition")
    steps = run.faults[run.faults["fault"] == fault]
    ends_s = (int(steps.loc[steps["step"] == "healing", "t_ns"].max()) - run.t0_ns) / NS
    for broker in sorted(run.views["broker"].unique()):
        table[f"broker {broker} says"] = [_word(analysis.views(run, p), broker, ends_s) for p in table.index]
    return table


def _word(told: pd.DataFrame, broker: int, at_s: float) -> str:
    """What a broker said at a moment; its last answer may be a second old."""
    mine = told[(told["broker"] == broker) & (told["start_s"] <= at_s)].tail(1)
    if mine.empty or float(mine["end_s"].iloc[0]) < at_s - SILENT_S:
        return "no answer"
    view = mine.iloc[0]
    return f"leader {view['leader']} (epoch {view['epoch']}), in sync {view['in_sync']}"


def summary(runs: Sequence[JudgedRun]) -> pd.DataFrame:
    """One row for each run: verdict, whether it was expected, and `audit.model.verdict.numbers`."""
    verdicts = [run.verdict for run in runs]
    rows = [{"verdict": v.verdict, "met": verdict.EXPECTED[v.met], **verdict.numbers(v)} for v in verdicts]
    index = pd.Index([f"{run.scenario.title} {run.folder.run_id}" for run in runs], name="run")
    return pd.DataFrame(rows, index=index)


def claims(run: JudgedRun) -> Styler:
    """Every check of the verdict: its claim and what was measured, the worst first."""
    return wrapped(verdict_frames.claims(run.verdict))


def wrapped(frame: pd.DataFrame) -> Styler:
    """A table whose words a notebook breaks into lines; as it is, it cuts them off."""
    return frame.style.set_table_styles(
        [{"selector": "td, th.col_heading", "props": "text-align: left; white-space: normal"}]
    )


def recovery(run: JudgedRun) -> Styler:
    """How long each fault was noticed, mended and worked off after its injection: `analysis.recovery` as text."""
    return wrapped(pd.DataFrame(verdict.recovered(run.verdict) or [{"fault": "none was injected"}]).set_index("fault"))


def stalls(run: JudgedRun) -> Styler:
    """When which partition stood still, whose fault it was, and what held it up: `analysis.stalls` as text."""
    return wrapped(pd.DataFrame(verdict.stalls(run.verdict)).set_index("partition"))


def predicted(run: JudgedRun) -> Styler:
    """What was predicted before the run began against what was measured: `analysis.predicted` as text."""
    return wrapped(pd.DataFrame(compared(run), columns=list(COMPARED)).set_index("quantity"))


def alerting(run: JudgedRun) -> pd.DataFrame:
    """How late alerts were stored before, during and after the faults: `analysis.alert_latency` as text."""
    return pd.DataFrame(verdict.alerting(run.verdict)).set_index("period")


def durability(runs: Iterable[AnyRun], *names: str, planned: Iterable[Scenario] = ()) -> Styler:
    """Several runs by fault, replicas and acks, a column for each quantity: `audit.sets.durability.table` as text."""
    return wrapped(table(runs, *names, planned=planned))
