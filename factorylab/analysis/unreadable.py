"""Acknowledged and not readable: no consumer gets a record that lies above the high watermark.

With acks=1 the leader confirms what no follower has copied yet. The high watermark waits for every replica in the ISR,
also for a dead one until it is out of it, and below min ISR until enough are back (KIP-966). Meanwhile nobody reads
what was confirmed, and a lag that is measured from the high watermark knows nothing of it.
"""

from __future__ import annotations

import pandas as pd

from factorylab.analysis.exposure import asked_ns, watched
from factorylab.analysis.readings import Readings
from factorylab.history.saved_run import Run

COLUMNS = ("t_ns", "partition", "readings")


def unreadable(run: Run, readings: Readings) -> pd.DataFrame:
    """One row a partition and answer of the probe: t_ns, partition, and how many readings were surely acknowledged and
    not readable: those at or above the high watermark in the answer that were acknowledged before it was asked for.
    What a change of leader cut off counts until then; after it, it is lost."""
    parts = []
    for samples, acks, _ in watched(run, readings):
        told = samples[samples["valid"]]
        counts = acks.count(asked_ns(told), told["end"].to_numpy())
        parts.append(told[["t_ns", "partition"]].assign(readings=counts))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def most_unreadable(found: pd.DataFrame) -> dict[int, int]:
    """By partition: the most at one moment of a frame of `unreadable`."""
    return {int(str(p)): int(most) for p, most in found.groupby("partition")["readings"].max().items()}
