"""When a processor had a batch in progress: from its poll until its transaction began."""

from __future__ import annotations

import pandas as pd

from factorylab.analysis.matching import polls_of
from factorylab.history.saved_run import Run
from factorylab.history.table_chunks import UNKNOWN


def in_progress(run: Run, longer_than_s: float) -> pd.DataFrame:
    """worker, start_s, end_s of each batch that took longer: meanwhile its processor does nothing else.

    It detects, and waits until alerts and dead letters are acknowledged. A history from before schema 6 does not say
    when a transaction began, and has no row here.
    """
    reads, commits = run.reads, run.commits[run.commits["begun_ns"] != UNKNOWN]
    row = polls_of(commits, reads)
    begun = commits[row >= 0]
    found = pd.DataFrame(
        {
            "worker": begun["worker"].astype(str),
            "start_s": run.seconds(reads["t_ns"].iloc[row[row >= 0]]).to_numpy(),
            "end_s": run.seconds(begun["begun_ns"]),
        }
    )
    return found[found["end_s"] - found["start_s"] > longer_than_s]
