"""A second count of a run, by another way than the audit's: plain pandas on the Parquet files, and nothing of ours but
their names. It is slow, holds everything in memory, and knows no rule that the sentence beside it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NS = 1e9
SILENCE_S = 1.1  # of the audit's stalls those are compared that no rounding takes below its second
NEAR_S = 0.3  # a stall begins with the reading that waits, of which there may be several a moment


class Recount:
    """What a run folder's tables say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        phases = self._table("phases").set_index("phase")["t_ns"]
        self.steady_ns, self.recover_ns = int(phases["steady"]), int(phases["recover"])
        sends = self._table("sends")
        self.due = len(sends)
        self.offered = sends[sends["outcome"].astype(str) != "not_offered"]
        self.acked = self.offered[self.offered["outcome"].astype(str) == "ok"]
        self.log, self.rows = self._table("log"), self._table("rows")
        commits = self._table("commits")
        self.commits = commits[~commits["refused"]]

    def _table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self._folder / "raw" / "history" / f"{name}.parquet")

    def counts(self) -> dict[str, int]:
        """Readings are told apart by sensor and seq."""
        acked, offered, log, rows = (_names(t) for t in (self.acked, self.offered, self.log, self.rows))
        return {
            "due": self.due,
            "offered": len(self.offered),
            "acked": len(self.acked),
            "gone": len(acked - log),
            "stored": len(offered & rows),
            "unstored": len(self.offered) - len(offered & rows),
            "duplicates": len(self.log) - len(log) + len(self.rows) - len(rows),
        }

    def latencies_s(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """From the intended moment of a reading to the transaction that covers the place of its first row."""
        first = self.rows.sort_values(["partition", "offset"]).drop_duplicates(["sensor", "seq"])
        known = first.merge(self.offered[["sensor", "seq", "t_intended_ns"]], on=["sensor", "seq"])
        known = known[known["t_intended_ns"] >= self.steady_ns]
        found = []
        for partition, mine in known.groupby("partition"):
            commits = self.commits[self.commits["partition"] == partition].sort_values("to_offset")
            at = np.searchsorted(commits["to_offset"], mine["offset"], side="right")
            there = at < len(commits)
            of = commits.iloc[at[there]]
            covered = of["from_offset"].to_numpy() <= mine["offset"].to_numpy()[there]
            found.append((of["t_ns"].to_numpy() - mine["t_intended_ns"].to_numpy()[there])[covered] / NS)
        return np.concatenate(found)

    def stored_per_s(self) -> float:
        during = self.commits["t_ns"].between(self.steady_ns, self.recover_ns)
        return float(self.commits.loc[during, "rows"].sum() / ((self.recover_ns - self.steady_ns) / NS))

    def ack_gap_s(self, fault: int, partition: int) -> float:
        """The longest time between two acknowledgements of a partition, from the last before a fault to the last send
        of all."""
        faults = self._table("faults")
        steps = faults[(faults["fault"] == fault) & (faults["step"].astype(str) == "injected")]
        acks = self._acks_ns(partition)
        low = np.searchsorted(acks, steps["t_ns"].min()) - 1
        high = np.searchsorted(acks, self.offered["t_ns"].max())
        return float(np.diff(acks[max(low, 0) : high]).max(initial=0) / NS)

    def silences_s(self, kind: str, partition: int) -> Iterator[tuple[float, float]]:
        """When a partition acknowledged, or stored, nothing for over SILENCE_S, and a reading of it waited that was
        acknowledged in the end; seconds since the steady state."""
        mine = self.commits.loc[self.commits["partition"] == partition, "t_ns"]
        served = self._acks_ns(partition) if kind == "acks" else np.sort(mine.to_numpy())
        sent = np.sort(self.acked.loc[self.acked["partition"] == partition, "t_ns"].to_numpy())
        for before, after in pairwise(served):
            waiting = sent[np.searchsorted(sent, before, side="right") :][:1]
            if len(waiting) and after > self.steady_ns and after - max(before, waiting[0]) > SILENCE_S * NS:
                yield (max(before, waiting[0]) - self.steady_ns) / NS, (after - self.steady_ns) / NS

    def _acks_ns(self, partition: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        heard = self.acked[(self.acked["partition"] == partition) & (self.acked["t_ack_ns"] > 0)]
        return np.sort(heard["t_ack_ns"].to_numpy())


def _names(table: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(table["sensor"], table["seq"], strict=True))
