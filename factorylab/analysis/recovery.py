"""What a fault did to the service: how long until it was noticed, mended, and the backlog worked off.

*Service gap*: time between two successive acknowledgements (or commits) of a partition. A partition is affected by
a fault when its longest gap that began while the fault was held exceeds QUIET_S, and twice its longest gap of the
steady state.

    detection   injection → the first change seen in leaders and ISR (a broker), the group's first callback (a
                processor), or the first processor that notes that it cannot store (the database)
    recovery    injection → the end of the longest gap of the last affected partition, for both acks and commits
    catch_up    injection → the total lag is back in its band of the steady state, and stays there for SETTLED_S

What was not seen to end is *censored*: the value is how long it was watched, and the truth is more than that. What
could have come and gone while the probe was blind is not observed, and NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.looks import BLIND_S, unled
from factorylab.analysis.rates import total_lag
from factorylab.analysis.readings import Ints
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

QUIET_S = 0.5
SETTLED_S = 2.0
WINDOW = {"fault": "int64", **dict.fromkeys(("kind", "target", "node"), "str")}
WINDOW |= dict.fromkeys(("intended_ns", "injected_ns", "healed_ns"), "int64")
LAG_FLOOR_S = 0.25  # a lag of what is offered in this time is healthy: the probe's period, and one batch


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
        home = run.frame("log", "sensor", "partition").drop_duplicates("sensor").set_index("sensor")["partition"]
        tried = sends.groupby("sensor")["t_ns"].max()
        self.last_try = tried.groupby(home.reindex(tried.index).fillna(-1).astype(int)).max().to_dict()
        self.sending_ends_ns = int(sends["t_ns"].max()) if len(sends) else run.t0_ns
        where, when = sends["partition"].to_numpy(), sends["t_ack_ns"].to_numpy()
        commits = run.commits[~run.commits["refused"]]
        frozen = run.frozen.set_index("partition")["end"].to_dict()
        reached = run.positions.set_index("partition")["next_offset"].to_dict()
        self.partitions = range(run.scenario.topology.partitions)
        self.acks = {p: np.sort(when[acked & (where == p)]) for p in self.partitions}
        self.commits = {p: np.sort(commits.loc[commits["partition"] == p, "t_ns"].to_numpy()) for p in self.partitions}
        self.drained = {p: reached.get(p, 0) >= frozen.get(p, 0) for p in self.partitions}

    def ack_gap(self, partition: int, from_ns: int, until_ns: int) -> Gap:
        return longest_gap(self.acks[partition], from_ns, until_ns, self.last_try.get(partition, from_ns))

    def commit_gap(self, partition: int, from_ns: int, until_ns: int) -> Gap:
        wanted = from_ns if self.drained[partition] else self.sending_ends_ns
        return longest_gap(self.commits[partition], from_ns, until_ns, wanted)


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
    steady_ends_ns = run.phases.get("fault_window") or run.phases.get("after") or service.sending_ends_ns
    steady = {p: usual_gap_s(service.acks[p], run.t0_ns, steady_ends_ns) for p in service.partitions}
    gaps = {p: service.ack_gap(p, run.t0_ns, service.sending_ends_ns) for p in service.partitions}
    times = {p: ((g.start_ns - run.t0_ns) / NS, (g.end_ns - run.t0_ns) / NS) for p, g in gaps.items()}
    rows = [(p, g.seconds, *times[p], g.censored, steady[p]) for p, g in gaps.items()]
    return pd.DataFrame(rows, columns=["partition", "gap_s", "start_s", "end_s", "censored", "steady_s"])


def recovery(run: Run, service: ServiceTimes | None = None) -> pd.DataFrame:
    """One row for each row of `fault_windows`, with held_s and, each with its `…_censored`, detection_s,
    recovery_s and catch_up_s."""
    service = service or ServiceTimes(run)
    lags = run.once(total_lag)
    rows = []
    for fault in each(fault_windows(run)):
        at = int(fault.injected_ns)
        begun = int(fault.intended_ns) if fault.node == "database" else at  # clients may notice before we are done
        detection = _detected_ns(run, str(fault.node), begun)
        reacted_ns = service.sending_ends_ns if detection is None else detection
        unseen = bool(fault.node.startswith("broker") and unled(run, begun, reacted_ns))
        mended = _mended(run, service, at, int(fault.healed_ns))
        caught_up = _caught_up_s(run, lags, (at - run.t0_ns) / NS)
        rows.append(
            {
                "fault": fault.fault,
                "kind": fault.kind,
                "target": fault.target,
                "node": fault.node,
                "held_s": (fault.healed_ns - at) / NS if fault.healed_ns > 0 else float("nan"),
                "detection_s": float("nan") if unseen else max((reacted_ns - at) / NS, 0.0),
                "detection_censored": detection is None,
                "recovery_s": max((mended.end_ns - at) / NS, 0.0),
                "recovery_censored": mended.censored,
                "catch_up_s": caught_up[0],
                "catch_up_censored": caught_up[1],
            }
        )
    return pd.DataFrame(rows)


def _detected_ns(run: Run, node: str, at: int) -> int | None:
    """When the system first reacted, None where it was not seen to."""
    if node == "database":
        noted = run.events
        later = noted.loc[(noted["event"] == "store_lost") & (noted["t_ns"] > at), "t_ns"]
        return int(later.min()) if len(later) else None
    if node.startswith("processor"):
        later = run.group.loc[run.group["t_ns"] > at, "t_ns"]
        return int(later.min()) if len(later) else None
    samples = run.partitions[run.partitions["valid"] | (run.partitions["leader"] >= 0)].sort_values("t_ns")
    view = pd.Series(
        [f"{leader} {sorted(isr)}" for leader, isr in zip(samples["leader"], samples["isr"], strict=True)],
        index=samples.index,
        dtype=object,
    )
    changed = view != view.groupby(samples["partition"]).shift()
    first = ~samples["partition"].duplicated()
    later = samples.loc[changed & ~first & (samples["t_ns"] > at), "t_ns"]
    return int(later.min()) if len(later) else None


def _mended(run: Run, service: ServiceTimes, at: int, healed_ns: int) -> Gap:
    """The gap whose end is the recovery: the last to end among the longest ones of the affected partitions.

    Only gaps that began while the fault was held: a hiccup after the healing is not the fault's.
    """
    last, until_ns = Gap(at, at), healed_ns if healed_ns > 0 else service.sending_ends_ns
    for look, moments in ((service.ack_gap, service.acks), (service.commit_gap, service.commits)):
        for partition in service.partitions:
            usual = usual_gap_s(moments[partition], run.t0_ns, at)
            gap = look(partition, at, until_ns)
            if gap.seconds > max(QUIET_S, 2 * usual):
                last = max(last, gap, key=lambda g: (g.censored, g.end_ns))
    return last


def _caught_up_s(run: Run, lags: pd.DataFrame, at_s: float) -> tuple[float, bool]:
    """(seconds, censored) until the lag is healthy for good; 0 where it never left its band. NaN where there is nothing
    to compare, or where it may have left its band unseen."""
    steady, later = lags[lags["t_s"].between(0, at_s)], lags[lags["t_s"] > at_s]
    if steady.empty or later.empty:
        return float("nan"), False
    band = max(2 * float(steady["lag_records"].quantile(0.99)), LAG_FLOOR_S * run.scenario.workload.rate_per_s)
    t_s, high = later["t_s"].to_numpy(), (later["lag_records"] > band).to_numpy()
    if not high.any():
        return float("nan") if np.diff(t_s, prepend=at_s).max() > BLIND_S else 0.0, False
    start = int(high.argmax())
    for i in np.flatnonzero(~high[start:]) + start:
        settled = (t_s >= t_s[i]) & (t_s <= t_s[i] + SETTLED_S)
        if not high[settled].any():
            return float(t_s[i] - at_s), False
    return float(t_s[-1] - at_s), True
