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

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from factorylab.analysis.causes import OF_THE_SYSTEM, Causes, Span
from factorylab.analysis.readings import Ints, Readings
from factorylab.analysis.service import ServiceTimes, fault_windows, stores
from factorylab.analysis.silence import STALL_S, Silence, told
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.core.scratch import chunks
from factorylab.history.saved_run import NOT_OFFERED, Run, each

KINDS = ("acks", "stores")
USUAL_SHARE = 0.9
NO_FAULT = -1
COLUMNS = ["fault", "partition", "service", "start_s", "end_s", "open", "cause", "stretches"]


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
        if not told(span[1] - span[0], caused=any(stretch.cause in OF_THE_SYSTEM for stretch in stretches)):
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
        gaps = {p: _gaps(service.of(kind)[p], service.t0_ns) for p in service.partitions}
        since = _sent_since(run, kind, {p: np.array([end for _, end in mine]) for p, mine in gaps.items() if mine})
        for partition in service.partitions:
            limit_ns = _limit_ns(service, kind, partition)
            silences = _silences(service, kind, partition, gaps[partition], since.get(partition, ()))
            found += [(kind, partition, s) for s in silences if s.end_ns - s.start_ns > limit_ns]
    return found


def _limit_ns(service: ServiceTimes, kind: str, partition: int) -> float:
    return max(STALL_S * NS, 2 * service.usual_ns(kind, partition, USUAL_SHARE))


def _gaps(moments: Ints, t0_ns: int) -> list[tuple[int, int]]:
    """Those longer than STALL_S between the sorted moments after `t0_ns`, and from there to the first."""
    found, at, after = list[tuple[int, int]](), t0_ns, int(np.searchsorted(moments, t0_ns, side="right"))
    for part in chunks(len(moments) - after):
        edges = np.append(at, moments[after + part.start : after + part.stop])
        wide = np.flatnonzero(np.diff(edges) > STALL_S * NS)
        found += zip(edges[wide].tolist(), edges[wide + 1].tolist(), strict=True)
        at = int(edges[-1])
    return found


def _sent_since(run: Run, kind: str, ends: Mapping[int, Ints]) -> dict[int, Ints]:
    """By partition: when the first of the readings that were acknowledged (stored) at each of these moments, which
    ascend, or later was sent; 0: unknown."""
    column, least = ("t_ack_ns", dict(ends)) if kind == "acks" else ("offset", _stored_from(run, ends))
    earliest = {p: np.full(len(of) + 1, FOREVER_NS) for p, of in least.items()}
    for chunk in run.chunks("sends", "partition", "t_ns", column, "outcome") if ends else ():
        offered = ~chunk.text("outcome").are(NOT_OFFERED)
        for p, of in least.items():
            here = np.flatnonzero(offered & (chunk["partition"] == p))
            reached = np.searchsorted(of, chunk[column][here], side="right")
            np.minimum.at(earliest[p], reached, chunk["t_ns"][here])
    sent = {p: np.minimum.accumulate(of[::-1])[::-1][1:] for p, of in earliest.items()}
    return {p: np.where(of < FOREVER_NS, of, 0) for p, of in sent.items()}


def _stored_from(run: Run, ends: Mapping[int, Ints]) -> dict[int, Ints]:
    """By partition: the lowest offset that was stored at each of these moments or later."""
    accepted = run.once(stores)
    found = {}
    for p, moments in ends.items():
        mine = accepted[accepted["partition"] == p]
        found[p] = np.array([mine.loc[mine["t_ns"] >= t, "from_offset"].min() for t in moments])
    return found


def _silences(
    service: ServiceTimes, kind: str, partition: int, gaps: Sequence[tuple[int, int]], since: Iterable[int]
) -> Iterator[Silence]:
    """The gaps, less the time in which nothing waited, and an open one at the end."""
    for (start, end), sent_ns in zip(gaps, since, strict=True):
        yield Silence(max(start, int(sent_ns)), end, open=False)
    moments, wanted_ns = service.of(kind)[partition], service.wanted_until_ns(kind, partition)
    last_ns = max(service.t0_ns, int(moments[-1])) if len(moments) else service.t0_ns
    if wanted_ns > last_ns:
        yield Silence(last_ns, wanted_ns, open=True)


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
