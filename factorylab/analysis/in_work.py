"""When processors were at work on a batch: from its poll until its transaction began."""

from __future__ import annotations

import pandas as pd

from factorylab.analysis.matching import latest, shared_keys
from factorylab.analysis.readings import place
from factorylab.history.saved_run import Run
from factorylab.history.table_chunks import UNKNOWN


def in_work(run: Run, longer_than_s: float) -> pd.DataFrame:
    """worker, start_s, end_s of each batch that took longer: meanwhile its processor does nothing else.

    Detection takes milliseconds. What takes long is that alerts and dead letters must be acknowledged before the
    transaction begins. A history from before schema 6 does not say when one began, and has no row here.
    """
    reads, commits = run.reads, run.commits[run.commits["begun_ns"] != UNKNOWN]
    key, of_key = shared_keys(
        (commits["worker"], place(commits["partition"].to_numpy(), commits["to_offset"].to_numpy() - 1)),
        (reads["worker"], place(reads["partition"].to_numpy(), reads["last_offset"].to_numpy())),
    )
    row = latest(key, commits["begun_ns"].to_numpy(), of_key, reads["t_ns"].to_numpy())
    begun = commits[row >= 0]
    found = pd.DataFrame(
        {
            "worker": begun["worker"].astype(str),
            "start_s": run.seconds(reads["t_ns"].iloc[row[row >= 0]]).to_numpy(),
            "end_s": run.seconds(begun["begun_ns"]),
        }
    )
    return found[found["end_s"] - found["start_s"] > longer_than_s]
