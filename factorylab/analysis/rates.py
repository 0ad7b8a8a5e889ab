"""Throughput and lag over time, and how the store kept up with each offered rate.

Times are seconds since the start of the steady state. Due counts by the intended time of a reading (open loop),
offered by the time of its send, acked by that of its acknowledgement, stored by the commit of its batch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.core.clock import NS
from factorylab.history.saved_run import NOT_OFFERED, Run


def throughput(run: Run, bin_s: float = 1.0) -> pd.DataFrame:
    """Rows: bins of `bin_s`, to the end of the drain. Columns t_s (start of the bin), due_per_s, offered_per_s,
    acked_per_s, stored_per_s (NaN of a program under test and of a share group: when they stored what is not told)."""
    sends = run.frame("sends", "t_ns", "t_intended_ns", "t_ack_ns", "outcome")
    commits = run.frame("commits", "t_ns", "rows", "refused")
    commits = commits[~commits["refused"]]
    acked = sends["t_ack_ns"].to_numpy()[(sends["outcome"] == "ok").to_numpy() & (sends["t_ack_ns"] > 0).to_numpy()]
    moments = {
        "due_per_s": (sends["t_intended_ns"].to_numpy(), None),
        "offered_per_s": (sends["t_ns"].to_numpy()[(sends["outcome"] != NOT_OFFERED).to_numpy()], None),
        "acked_per_s": (acked, None),
        "stored_per_s": (commits["t_ns"].to_numpy(), commits["rows"].to_numpy()),
    }
    known = [t for t, _ in moments.values() if len(t)]
    if not known:
        return pd.DataFrame(columns=["t_s", *moments], dtype=float)
    width = int(bin_s * NS)
    first = (min(int(t.min()) for t in known) - run.t0_ns) // width
    last_ns = max(run.phases.get("final_read", 0), *(int(t.max()) for t in known))
    count = (last_ns - run.t0_ns) // width - first + 1
    frame = pd.DataFrame({"t_s": (first + np.arange(count)) * bin_s})
    for name, (t_ns, weight) in moments.items():
        slot = (t_ns - run.t0_ns) // width - first
        frame[name] = np.bincount(slot, weights=weight, minlength=count) / bin_s
    return frame if run.scenario.owns_partitions else frame.assign(stored_per_s=np.nan)


def lag(run: Run) -> pd.DataFrame:
    """Valid samples of the consumer lag: t_s, partition, lag_records (log end − committed)."""
    samples = run.frame("lag", "t_ns", "partition", "committed", "end", "valid")
    samples = samples[samples["valid"]]
    records = (samples["end"] - samples["committed"]).clip(lower=0)
    return pd.DataFrame(
        {"t_s": run.seconds(samples["t_ns"]), "partition": samples["partition"], "lag_records": records}
    ).reset_index(drop=True)


def total_lag(run: Run) -> pd.DataFrame:
    """t_s, lag_records over all partitions, at the moments when every partition had a valid sample."""
    each = lag(run)
    sums = each.groupby("t_s")["lag_records"].agg(["sum", "count"])
    whole = sums[sums["count"] == run.scenario.topology.partitions]
    return pd.DataFrame({"t_s": whole.index.to_numpy(float), "lag_records": whole["sum"].to_numpy(float)})


def slope_per_s(samples: pd.DataFrame, start_s: float, end_s: float) -> float:
    """Growth of the lag in records/s: median of the last third of the window less that of the first, over the
    time between their middles. Medians, since commits make the lag a saw-tooth. NaN below six samples."""
    inside = samples[samples["t_s"].between(start_s, end_s)]
    if len(inside) < 6:
        return float("nan")
    third = len(inside) // 3
    first, last = inside.iloc[:third].median(), inside.iloc[-third:].median()
    return float((last["lag_records"] - first["lag_records"]) / (last["t_s"] - first["t_s"]))


def stages(run: Run) -> pd.DataFrame:
    """Periods of one declared rate: rate_per_s, start_s, end_s; the last ends when the fleets stop.

    Each fleet notes its own share, so the n-th rates of all fleets are added up. Where none says when it stopped (an
    older run, or all of them were killed), the last period ends with the sends.
    """
    rows = run.stages.sort_values("t_ns", kind="stable")
    stopped, rows = rows[rows["rate_per_s"] == 0], rows[rows["rate_per_s"] > 0]
    nth = rows.groupby("worker", observed=True).cumcount()
    changes = rows.groupby(nth).agg(t_ns=("t_ns", "min"), rate_per_s=("rate_per_s", "sum"))
    start_s = run.seconds(changes["t_ns"]).to_numpy()
    ends = stopped["t_ns"].tolist() or [int(c["t_intended_ns"].max()) for c in run.chunks("sends", "t_intended_ns")]
    end = (max(ends) - run.t0_ns) / NS if ends else float("nan")
    end_s = [*start_s[1:], end][: len(start_s)]
    return pd.DataFrame({"rate_per_s": changes["rate_per_s"].to_numpy(), "start_s": start_s, "end_s": end_s})
