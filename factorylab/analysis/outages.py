"""What a database that is away does to those who store, by their own notes.

An *outage* of a processor begins with the first call that fails and ends with the next batch that is stored. A call
is *blocked* from its beginning until it failed.
"""

from __future__ import annotations

import json

import pandas as pd

from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

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
