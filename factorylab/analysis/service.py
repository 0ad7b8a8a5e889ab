"""When each partition was served, and when faults were: what stalls and recovery are measured on.

*Service gap*: time between two successive acknowledgements (or commits) of a partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

WINDOW = {"fault": "int64", **dict.fromkeys(("kind", "target", "node"), "str")}
WINDOW |= dict.fromkeys(("intended_ns", "injected_ns", "healed_ns"), "int64")


@dataclass(frozen=True)
class Gap:
    """Without service from `start_ns` to `end_ns`; `censored` where no service followed."""

    start_ns: int
    end_ns: int
    censored: bool = False

    @property
    def seconds(self) -> float:
        return max(self.end_ns - self.start_ns, 0) / NS


def longest_gap(moments: Ints, from_ns: int, until_ns: int, wanted_until_ns: int) -> Gap:
    """The longest gap between sorted `moments` that overlaps from_ns … until_ns.

    Service was wanted until `wanted_until_ns`: a silence up to there counts as censored. The time before the first
    moment counts from `from_ns`.
    """
    inside = moments[np.searchsorted(moments, from_ns, side="right") :]
    before = moments[len(moments) - len(inside) - 1] if len(inside) < len(moments) else from_ns
    after = int(np.searchsorted(inside, until_ns, side="left"))
    edges = np.concatenate([[before], inside[: after + 1]])
    lengths = np.diff(edges)
    widest = int(lengths.argmax()) if len(lengths) else -1
    found = Gap(int(edges[widest]), int(edges[widest + 1])) if widest >= 0 else Gap(from_ns, from_ns)
    tail = Gap(int(edges[-1]), wanted_until_ns, censored=True)
    return tail if after == len(inside) and tail.seconds > found.seconds else found


def usual_gap_s(moments: Ints, from_ns: int, until_ns: int) -> float:
    """The longest time between two of the sorted `moments` in a window, in seconds; 0 below two of them."""
    inside = moments[slice(*np.searchsorted(moments, [from_ns, until_ns]))]
    return float(np.diff(inside).max(initial=0)) / NS


class ServiceTimes:
    """When each partition was served: sorted times of acks and commits, and until when service was wanted."""

    def __init__(self, run: Run) -> None:
        sends = run.offered("sensor", "t_ns", "t_ack_ns", "partition", "outcome")
        acked = ((sends["outcome"] == "ok") & (sends["t_ack_ns"] > 0)).to_numpy()
        told = [run.frame("log", "sensor", "partition"), sends.loc[acked, ["sensor", "partition"]]]
        firsts = pd.concat([one.drop_duplicates("sensor") for one in told])
        home = firsts.drop_duplicates("sensor").set_index("sensor")["partition"]
        tried = sends.groupby("sensor")["t_ns"].max()
        self.last_try = tried.groupby(home.reindex(tried.index).fillna(-1).astype(int)).max().to_dict()
        self.sending_ends_ns = int(sends["t_ns"].max()) if len(sends) else run.t0_ns
        self.drain_ends_ns = run.phases.get("final_read", self.sending_ends_ns)
        self.t0_ns = run.t0_ns
        self.steady_ends_ns = run.phases.get("fault_window") or run.phases.get("after") or self.sending_ends_ns
        where, when = sends["partition"].to_numpy(), sends["t_ack_ns"].to_numpy()
        commits = run.commits[~run.commits["refused"]]
        frozen = run.frozen.set_index("partition")["end"].to_dict()
        reached = run.positions.set_index("partition")["next_offset"].to_dict()
        self.partitions = range(run.scenario.topology.partitions)
        self.acks = {p: np.sort(when[acked & (where == p)]) for p in self.partitions}
        self.commits = {p: np.sort(commits.loc[commits["partition"] == p, "t_ns"].to_numpy()) for p in self.partitions}
        self.drained = {p: p in frozen and reached.get(p, 0) >= frozen[p] for p in self.partitions}

    def ack_gap(self, partition: int, from_ns: int, until_ns: int) -> Gap:
        return longest_gap(self.acks[partition], from_ns, until_ns, self.last_try.get(partition, from_ns))

    def of(self, kind: str) -> dict[int, Ints]:
        """The moments of "acks" or "stores" by partition."""
        return self.acks if kind == "acks" else self.commits

    def wanted_until_ns(self, kind: str, partition: int) -> int:
        """Until when service was wanted: acks to the last send, stores as long as something was left to store."""
        if kind == "acks":
            return int(self.last_try.get(partition, 0))
        return 0 if self.drained[partition] else self.drain_ends_ns


def fault_windows(run: Run) -> pd.DataFrame:
    """One row for each fault and node injected: fault, kind, target, node, intended_ns, injected_ns, healed_ns.

    The fault came to be between intended_ns and injected_ns. healed_ns is −1 where the healing was not recorded.
    """
    return run.once(_fault_windows).copy()


def _fault_windows(run: Run) -> pd.DataFrame:
    first: dict[tuple[int, str, str], Any] = {}
    for row in each(run.faults):
        first.setdefault((row.fault, row.node, row.step), row)
    windows = []
    for (fault, node, step), told in first.items():
        if step == "injected":
            intended, healed = first.get((fault, node, "intended"), told), first.get((fault, node, "healed"))
            healed_ns = healed.t_ns if healed else -1
            windows.append((fault, told.kind, told.target, node, intended.t_ns, told.t_ns, healed_ns))
    return pd.DataFrame(windows, columns=list(WINDOW)).astype(WINDOW)


def ack_gaps(run: Run, service: ServiceTimes | None = None) -> pd.DataFrame:
    """The longest ack gap of each partition from the steady state on.

    Columns partition, gap_s, start_s, end_s, censored, and steady_s: the longest while the state was steady.
    """
    service = service or ServiceTimes(run)
    steady = {p: usual_gap_s(service.acks[p], run.t0_ns, service.steady_ends_ns) for p in service.partitions}
    gaps = {p: service.ack_gap(p, run.t0_ns, service.sending_ends_ns) for p in service.partitions}
    times = {p: ((g.start_ns - run.t0_ns) / NS, (g.end_ns - run.t0_ns) / NS) for p, g in gaps.items()}
    rows = [(p, g.seconds, *times[p], g.censored, steady[p]) for p, g in gaps.items()]
    return pd.DataFrame(rows, columns=["partition", "gap_s", "start_s", "end_s", "censored", "steady_s"])
