"""What a database that is away does to those who store: by their own notes, and by when alerts were stored.

An *outage* of a processor begins with the first call that fails and ends with the next batch that is stored. A call
is *blocked* from its beginning until it failed.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from factorylab.analysis.latency import commit_ns
from factorylab.analysis.readings import Readings
from factorylab.clock import NS
from factorylab.saved import Run, each

LOST, BACK = "store_lost", "store_back"
OUTAGES = ["process", "lost_s", "back_s", "lasted_s", "failed_calls", "longest_call_s", "error"]


def outages(run: Run) -> pd.DataFrame:
    """One row for each outage of each processor; back_s and what follows are NaN where it never ended.

    lost_s and back_s are on the run's time axis.
    """
    noted = run.events[run.events["event"].isin([LOST, BACK])].sort_values("t_ns", kind="stable")
    rows: list[dict[str, object]] = []
    for process, mine in noted.groupby("process", observed=True):
        for row in each(mine):
            detail, at_s = json.loads(row.detail), (row.t_ns - run.t0_ns) / NS
            if row.event == LOST:
                rows.append({"process": process, "lost_s": at_s - detail["blocked_s"], "error": detail["error"]})
            elif rows and rows[-1]["process"] == process:
                ended = {"back_s": at_s, "lasted_s": detail["lasted_s"]}
                rows[-1] |= ended | {"failed_calls": detail["tries"], "longest_call_s": detail["blocked_s"]}
    return pd.DataFrame(rows, columns=OUTAGES)


def alert_latency(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """How late alerts were stored, from the intended send of the reading to the commit, in seconds.

    One row for what was sent before, during and after the faults (from the first injection to the last healing):
    n, p50_s, p99_s, max_s. Alerts of readings whose commit was not journaled have no latency.
    """
    readings = readings or Readings(run)
    alerts = run.alerts[run.alerts["sink"] == "table"]
    key = readings.keys(alerts)
    key = np.unique(key[key >= 0])
    key = key[readings.in_log[key] & readings.stored[key]]
    record, send = readings.log_row[key], readings.send_row[key]
    intended = run.frame("sends", "t_intended_ns")["t_intended_ns"].to_numpy()[send]
    committed = commit_ns(run, *(readings.log[name].to_numpy()[record] for name in ("partition", "offset")))
    kept = (committed >= 0) & (intended >= run.t0_ns)
    took = pd.Series((committed[kept] - intended[kept]) / NS)
    steps = run.faults[run.faults["step"].isin(["injected", "healed"])]["t_ns"]
    edges = [steps.min(), steps.max()] if len(steps) else [np.inf, np.inf]
    when = np.array(["before", "during", "after"])[np.searchsorted(edges, intended[kept])]
    groups = took.groupby(when)
    found = {"n": groups.size(), "p50_s": groups.quantile(0.5), "p99_s": groups.quantile(0.99), "max_s": groups.max()}
    table = pd.DataFrame(found).reindex([name for name in ("before", "during", "after") if name in groups.groups])
    return table.rename_axis("sent").reset_index()
