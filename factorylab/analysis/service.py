"""When each partition was served, and when faults were: what stalls and recovery are measured on.

*Service gap*: time between two successive acknowledgements (or commits) of a partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.quantiles import quantiles
from factorylab.core.clock import NS
from factorylab.core.scratch import Numbers, chunks, with_before
from factorylab.history.saved_run import NOT_OFFERED, Run, each
from factorylab.history.table_chunks import Ints, Mask
from factorylab.history.tables import ANSWERED_OK

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
    first = int(np.searchsorted(moments, from_ns, side="right"))
    after = max(int(np.searchsorted(moments, until_ns, side="left")), first)
    at, longest, found = int(moments[first - 1]) if first else from_ns, -1, Gap(from_ns, from_ns)
    for part in chunks(min(after + 1, len(moments)) - first):
        inside = moments[first + part.start : first + part.stop]
        lengths = np.diff(inside, prepend=at)
        widest = int(lengths.argmax())
        if lengths[widest] > longest:
            longest = int(lengths[widest])
            found = Gap(int(inside[widest]) - longest, int(inside[widest]))
        at = int(inside[-1])
    tail = Gap(at, wanted_until_ns, censored=True)
    return tail if after == len(moments) and tail.seconds > found.seconds else found


def usual_gap_s(moments: Ints, from_ns: int, until_ns: int) -> float:
    """The longest time between two of the sorted `moments` in a window, in seconds; 0 below two of them."""
    inside = moments[slice(*np.searchsorted(moments, [from_ns, until_ns]))]
    return float(max((np.diff(part).max(initial=0) for part in with_before(inside)), default=0)) / NS


class ServiceTimes:
    """When each partition was served: sorted times of acks and commits, and until when service was wanted."""

    def __init__(self, run: Run) -> None:
        self._usual: dict[tuple[str, int, float], float] = {}
        home, tried = _homes(run), np.full(0, -1)
        self.partitions = range(run.scenario.topology.partitions)
        acks = {p: Numbers("int64") for p in self.partitions}
        for chunk in run.chunks("sends", "sensor", "t_ns", "t_ack_ns", "partition", "outcome"):
            offered = chunk.only(~chunk.text("outcome").are(NOT_OFFERED))
            acked = offered.text("outcome").are("ok") & (offered["t_ack_ns"] > 0)
            home = _noted(home, offered["sensor"], offered["partition"], acked)
            tried = _longer(tried, len(home))
            np.maximum.at(tried, offered["sensor"], offered["t_ns"])
            for p, moments in acks.items():
                moments.add(offered["t_ack_ns"][acked & (offered["partition"] == p)])
        home, tried = home[: len(tried)][tried >= 0], tried[tried >= 0]
        self.last_try = {int(p): int(tried[home == p].max()) for p in np.unique(home)}
        self.sending_ends_ns = int(tried.max()) if len(tried) else run.t0_ns
        self.drain_ends_ns = run.phases.get("final_read", self.sending_ends_ns)
        self.t0_ns = run.t0_ns
        self.steady_ends_ns = run.phases.get("fault_window") or run.phases.get("after") or self.sending_ends_ns
        commits = run.once(stores)
        frozen = run.frozen.set_index("partition")["end"].to_dict()
        reached = run.positions.set_index("partition")["next_offset"].to_dict()
        self.acks = {p: moments.ascending() for p, moments in acks.items()}
        self.commits = {p: np.sort(commits.loc[commits["partition"] == p, "t_ns"].to_numpy()) for p in self.partitions}
        self.drained = {p: p in frozen and reached.get(p, 0) >= frozen[p] for p in self.partitions}

    def ack_gap(self, partition: int, from_ns: int, until_ns: int) -> Gap:
        return longest_gap(self.acks[partition], from_ns, until_ns, self.last_try.get(partition, from_ns))

    def of(self, kind: str) -> dict[int, Ints]:
        """The moments of "acks" or "stores" by partition."""
        return self.acks if kind == "acks" else self.commits

    def usual_ns(self, kind: str, partition: int, share: float) -> float:
        """The gap that such a share of the gaps of the steady state do not exceed; 0 without any."""
        asked = (kind, partition, share)
        if asked not in self._usual:
            moments, gaps = self.of(kind)[partition], Numbers("int64")
            steady = moments[slice(*np.searchsorted(moments, [self.t0_ns, self.steady_ends_ns]))]
            for part in with_before(steady):
                gaps.add(np.diff(part))
            self._usual[asked] = quantiles(gaps, [share])[0] if len(gaps) else 0.0
        return self._usual[asked]

    def wanted_until_ns(self, kind: str, partition: int) -> int:
        """Until when service was wanted: acks to the last send, stores as long as something was left to store."""
        if kind == "acks":
            return int(self.last_try.get(partition, 0))
        return 0 if self.drained[partition] else self.drain_ends_ns


def stores(run: Run) -> pd.DataFrame:
    """When what of a partition was stored: t_ns, partition, from_offset, to_offset.

    By the journals; in a share group by the record, when the broker took its acceptance. Of a program under test, which
    has no journal, by the looks of the probe that found its group's committed offset further on: up to a fifth of a
    second late, and as seldom as the program commits.
    """
    columns = ["t_ns", "partition", "from_offset", "to_offset"]
    if run.scenario.owns_partitions:
        return run.commits.loc[~run.commits["refused"], columns]
    if run.scenario.shared:
        said = run.acknowledgements
        done = said[(said["kind"] == "accept") & (said["result"] == ANSWERED_OK)]
        return done.assign(from_offset=done["offset"], to_offset=done["offset"] + 1)[columns]
    seen = run.lag[run.lag["valid"]].sort_values("t_ns", kind="stable")
    reached = seen.groupby("partition")["committed"].cummax()
    before = reached.groupby(seen["partition"]).shift(fill_value=0)
    told = seen.assign(from_offset=before, to_offset=reached)
    return told.loc[reached > before, columns]


def _homes(run: Run) -> Ints:
    """By sensor: the partition of its first record, −1 where there is none."""
    home = np.full(0, -1)
    for chunk in run.chunks("log", "sensor", "partition"):
        home = _noted(home, chunk["sensor"], chunk["partition"], np.ones(chunk.count, dtype=bool))
    return home


def _noted(home: Ints, sensor: Ints, partition: Ints, tells: Mask) -> Ints:
    """The same with the partitions of sensors that had none yet."""
    home = _longer(home, int(sensor.max(initial=-1)) + 1)
    row = np.flatnonzero(tells & (sensor >= 0))[::-1]
    row = row[home[sensor[row]] < 0]
    home[sensor[row]] = partition[row]
    return home


def _longer(values: Ints, count: int) -> Ints:
    """The same, of at least so many entries; the new ones are −1."""
    return np.append(values, np.full(max(count - len(values), 0), -1))


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
