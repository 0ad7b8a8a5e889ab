"""Stalls: when a partition that had something to do acknowledged or stored nothing, whose fault that was, and why.

A *stall* of "acks" lasts from the last acknowledgement of a partition to the next, and begins no sooner than the first
reading that then waits was sent; one of "stores" is the same between store transactions. It counts if it lasts longer
than STALL_S (without a cause of the system: than HICCUP_S) and, in a system that is slow anyway, than twice the gap
that nine of ten gaps of its steady state do not exceed. One that did not end while service was wanted (to the last
send; of what is not drained, to the final read) is *open*: its true length is more than that.

A stall is a fault's if it began after that fault did, or so shortly before that it was no stall yet; of several faults,
the last one's. So whatever comes after a fault is that fault's, healed or not, and with or without a cause that is
seen: after the cut of a broker was lifted, three partitions stood still once more for 3.7 s, and no table shows why.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from factorylab.analysis.causes import OF_THE_SYSTEM, Causes, Span
from factorylab.analysis.readings import Readings
from factorylab.analysis.service import ServiceTimes, fault_windows
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

STALL_S = 0.5
"""A shorter silence is none: two looks of the probe, which sees causes five times a second, and a batch."""
HICCUP_S = 1.0
"""A shorter one without a cause is a busy host's: Java, disk and scheduler pause for as long on two cores, with and
without faults. From one second on it is told, as alerts are late from then on."""
KINDS = ("acks", "stores")
USUAL_SHARE = 0.9
NO_FAULT = -1
COLUMNS = ["fault", "partition", "service", "start_s", "end_s", "open", "cause", "stretches"]


class Silence(NamedTuple):
    start_ns: int
    end_ns: int
    open: bool


def stalls(run: Run, service: ServiceTimes | None = None) -> pd.DataFrame:
    """One row for each stall from the steady state on, in the order of time.

    Columns fault (its number; NO_FAULT: nobody's), partition, service ("acks" or "stores"), start_s, end_s, open, cause
    (that of its longest stretch) and stretches (a list of `causes.Stretch`, which cover it).
    """
    service = service or ServiceTimes(run)
    found = _found(run, service)
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    causes = Causes(run, all_acknowledge=Readings(run).acks in {"all", "-1"})
    windows = fault_windows(run)
    rows, no_acks = [], dict[int, list[Span]]()
    for kind, partition, silence in found:
        span = ((silence.start_ns - run.t0_ns) / NS, (silence.end_ns - run.t0_ns) / NS)
        if kind == "acks":
            no_acks.setdefault(partition, []).append(span)
        stretches = causes.of(partition, kind, span, no_acks.get(partition, ()))
        if span[1] - span[0] < HICCUP_S and not any(stretch.cause in OF_THE_SYSTEM for stretch in stretches):
            continue
        fault = _fault_of(silence, windows, _limit_ns(service, kind, partition))
        longest = max(stretches, key=lambda s: s.end_s - s.start_s)
        rows.append((fault, partition, kind, *span, silence.open, longest.cause, stretches))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["start_s", "partition"], kind="stable", ignore_index=True)


def stalled(frame: pd.DataFrame) -> pd.DataFrame:
    """`stalls` summed up, one row a partition that had any: partition, acks_s, stores_s, acks_open, stores_open."""
    rows = []
    for partition, mine in frame.groupby("partition"):
        kinds = {kind: mine[mine["service"] == kind] for kind in KINDS}
        lasted = [float((k["end_s"] - k["start_s"]).sum()) for k in kinds.values()]
        rows.append((partition, *lasted, *(bool(k["open"].any()) for k in kinds.values())))
    return pd.DataFrame(rows, columns=["partition", *(f"{k}_s" for k in KINDS), *(f"{k}_open" for k in KINDS)])


def _found(run: Run, service: ServiceTimes) -> list[tuple[str, int, Silence]]:
    """Acks first: what is acknowledged late is stored late."""
    found = []
    for kind in KINDS:
        waiting = _Waiting(run, kind)
        for partition in service.partitions:
            limit_ns, silences = _limit_ns(service, kind, partition), _silences(service, waiting, kind, partition)
            found += [(kind, partition, s) for s in silences if s.end_ns - s.start_ns > limit_ns]
    return found


def _limit_ns(service: ServiceTimes, kind: str, partition: int) -> float:
    moments = service.of(kind)[partition]
    steady = moments[slice(*np.searchsorted(moments, [service.t0_ns, service.steady_ends_ns]))]
    usual_ns = float(np.quantile(np.diff(steady), USUAL_SHARE)) if len(steady) > 1 else 0.0
    return max(STALL_S * NS, 2 * usual_ns)


class _Waiting:
    """When what was served late had been sent; the sends are read once, and only where there is something to ask."""

    def __init__(self, run: Run, kind: str) -> None:
        self._run, self._kind = run, kind

    @cached_property
    def _sends(self) -> pd.DataFrame:
        return self._run.offered("partition", "t_ns", "t_ack_ns" if self._kind == "acks" else "offset")

    def since_ns(self, partition: int, end_ns: int) -> int:
        """When the first of the readings that were acknowledged (stored) at `end_ns` or later was sent; 0: unknown."""
        mine = self._sends[self._sends["partition"] == partition]
        if self._kind == "acks":
            late = mine["t_ack_ns"] >= end_ns
        else:
            commits = self._run.commits
            later = ~commits["refused"] & (commits["partition"] == partition) & (commits["t_ns"] >= end_ns)
            late = mine["offset"] >= commits.loc[later, "from_offset"].min()
        return int(mine.loc[late, "t_ns"].min()) if late.any() else 0


def _silences(service: ServiceTimes, waiting: _Waiting, kind: str, partition: int) -> Iterator[Silence]:
    """Gaps longer than STALL_S, less the time in which nothing waited, and an open one at the end."""
    moments, t0_ns = service.of(kind)[partition], service.t0_ns
    edges = np.concatenate([[t0_ns], moments[moments > t0_ns]])
    for i in np.flatnonzero(np.diff(edges) > STALL_S * NS):
        start, end = int(edges[i]), int(edges[i + 1])
        yield Silence(max(start, waiting.since_ns(partition, end)), end, open=False)
    wanted_ns = service.wanted_until_ns(kind, partition)
    if wanted_ns > edges[-1]:
        yield Silence(int(edges[-1]), wanted_ns, open=True)


def _fault_of(silence: Silence, windows: pd.DataFrame, limit_ns: float) -> int:
    found = NO_FAULT
    for window in each(windows.sort_values("intended_ns", kind="stable")):
        if window.intended_ns - limit_ns <= silence.start_ns and window.intended_ns < silence.end_ns:
            found = int(window.fault)
    return found


def until_whole(number: int, windows: pd.DataFrame, frame: pd.DataFrame, t0_ns: int) -> pd.DataFrame:
    """The rows of `stalls` that kept service from being back for good after fault `number`: its own, and those of other
    faults that overlap with it. What faults did that began after its healing is not among them."""
    mine = windows[windows["fault"] == number]
    healed = (mine["healed_ns"] > 0).all()
    later = windows.loc[healed & (windows["intended_ns"] > mine["healed_ns"].max()), "fault"]
    begun_s = (int(mine["intended_ns"].min()) - t0_ns) / NS
    return frame[(frame["fault"] != NO_FAULT) & ~frame["fault"].isin(later) & (frame["end_s"] > begun_s)]
