"""Why a partition stood still: what the tables show of each moment, the first that holds in this order.

    NO_LEADER     no leader, or one that is dead, frozen or cut off from the clients
    ISR_WAITS     a leader, and in the ISR a broker that is dead, frozen or cut off from it: the high watermark waits,
                  and with it acks=all and all readers
    NO_OWNER      nobody in the group owns the partition, or its owner is dead, frozen or cut off
    STORE_AWAY    the database is dead or frozen, takes no write, or the owner noted that it could not store
    IN_PROGRESS   its owner had polled a batch, of whichever partition, and could not begin its transaction yet: its
                  alerts or dead letters were not acknowledged, or it is slow
    PRODUCER      none of these any more, and still nothing is acknowledged: the client backs off
    PROCESSOR     the same for what is stored, though there is something to store
    NOT_OBSERVED  nothing: the probe had no look for longer than UNSEEN_S
    UNKNOWN       none of the above, though the probe looked: no cause seen

Changes are seen by the probe, five times a second; a stretch that is shorter than LOOK_S goes to its neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from factorylab.analysis.in_progress import in_progress
from factorylab.analysis.intervals import assignments, isr, leadership, seen
from factorylab.analysis.outages import outages
from factorylab.analysis.service import fault_windows
from factorylab.analysis.spans import common, outside
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

NO_LEADER, ISR_WAITS, NO_OWNER, STORE_AWAY = "no leader", "ISR waits", "no owner", "store away"
IN_PROGRESS = "batch in progress"
PRODUCER, PROCESSOR = "producer backs off", "processor starts over"
NOT_OBSERVED, UNKNOWN = "not observed", "no cause seen"
OF_THE_SYSTEM = (NO_LEADER, ISR_WAITS, NO_OWNER, STORE_AWAY)
IN_ORDER = (*OF_THE_SYSTEM, IN_PROGRESS)
LOOK_S = 0.25
UNSEEN_S = 1.0  # without a look for longer, the probe has not observed what happened
FOREVER_S = 1e9

Span = tuple[float, float]


class Stretch(NamedTuple):
    """A part of a stall with one cause; `of` names the node that is to blame, where one is."""

    cause: str
    of: str
    start_s: float
    end_s: float


class Causes:
    """What the tables of a run show, in seconds since the steady state."""

    def __init__(self, run: Run, *, all_acknowledge: bool) -> None:
        """`all_acknowledge`: an acknowledgement waits for the whole ISR (acks=all)."""
        self._run, self._all_acknowledge = run, all_acknowledge
        self._leaders, self._in_sync, self._owned = leadership(run), isr(run), assignments(run)
        self._away = _away(run)
        self._cuts = [
            (run.scenario.faults[w.fault], str(w.node), _window(run, w))
            for w in each(fault_windows(run))
            if w.fault < len(run.scenario.faults) and run.scenario.faults[w.fault].on_network
        ]
        self._noted, self._batches = outages(run), in_progress(run, LOOK_S)
        self._looks = np.unique(run.seconds(seen(run)["t_ns"]).to_numpy())

    def of(self, partition: int, service: str, stall: Span, no_acks: Sequence[Span] = ()) -> list[Stretch]:
        """The stretches of a stall of "acks" or "stores", in the order of time; they cover it without a hole.

        `no_acks`: when the partition acknowledged nothing, so that there was nothing new to store.
        """
        known = [*self._led(partition)]
        if service == "stores" or self._all_acknowledge:
            known += self._in_sync_with(partition)
        if service == "stores":
            known += [*self._unowned(partition, stall), *self._store_away(partition), *self._in_progress(partition)]
        return _whole(_first_of(known, stall), stall, service, no_acks, self._unseen(stall))

    def _apart(self, source: str, target: str) -> list[Span]:
        """When a fault kept `source` and `target` from reaching each other."""
        pairs = ((source, target), (target, source))
        return [span for fault, node, span in self._cuts if any(fault.breaks(node, *pair) for pair in pairs)]

    def _led(self, partition: int) -> list[Stretch]:
        found = []
        for led in each(_of(self._leaders, partition)):
            name, span = f"broker-{led.leader}", (led.start_s, led.end_s)
            gone = [span] if led.leader < 0 else common([span], self._away.get(name, []) + self._apart("host", name))
            found += [Stretch(NO_LEADER, "" if led.leader < 0 else name, *one) for one in gone]
        return found

    def _in_sync_with(self, partition: int) -> list[Stretch]:
        found = []
        for led in each(_of(self._leaders, partition)):
            leader = f"broker-{led.leader}"
            for told in each(_of(self._in_sync, partition)):
                span = common([(led.start_s, led.end_s)], [(told.start_s, told.end_s)])
                for name in (f"broker-{b}" for b in told.in_sync.split() if int(b) != led.leader):
                    silent = common(span, self._away.get(name, []) + self._apart(leader, name))
                    found += [Stretch(ISR_WAITS, name, *one) for one in silent]
        return found

    def _unowned(self, partition: int, stall: Span) -> list[Stretch]:
        if self._owned.empty:  # not recorded
            return []
        found, working = [], []
        for owned in each(_of(self._owned, partition)):
            span, worker = (owned.start_s, owned.end_s), str(owned.worker)
            gone = self._away.get(worker, []) + [s for b in (1, 2, 3) for s in self._apart(worker, f"broker-{b}")]
            found += [Stretch(NO_OWNER, worker, *one) for one in common([span], gone)]
            working.append(span)
        return found + [Stretch(NO_OWNER, self._dead_before(partition, a), a, b) for a, b in outside(working, stall)]

    def _dead_before(self, partition: int, at_s: float) -> str:
        """The owner whose death left the partition without one; empty where it lived."""
        mine = _of(self._owned, partition)
        last = mine[mine["end_s"] <= at_s + LOOK_S].tail(1)
        return str(last["worker"].iloc[0]) if len(last) and last["ended_by"].iloc[0] == "killed" else ""

    def _store_away(self, partition: int) -> list[Stretch]:
        away = [*self._away.get("database", []), *_no_answer(self._run)]
        for noted in each(self._noted):
            span = (noted.lost_s, FOREVER_S if np.isnan(noted.back_s) else noted.back_s)
            away += self._while_owned(partition, noted.process, span)
        return [Stretch(STORE_AWAY, "database", *span) for span in away]

    def _in_progress(self, partition: int) -> list[Stretch]:
        found = []
        for one in each(self._batches):
            spans = self._while_owned(partition, one.worker, (one.start_s, one.end_s))
            found += [Stretch(IN_PROGRESS, one.worker, *span) for span in spans]
        return found

    def _while_owned(self, partition: int, worker: str, span: Span) -> list[Span]:
        mine = self._owned[(self._owned["worker"] == worker) & (self._owned["partition"] == partition)]
        return common([span], list(zip(mine["start_s"], mine["end_s"], strict=True)))

    def _unseen(self, stall: Span) -> list[Span]:
        looks = self._looks[(self._looks > stall[0] - UNSEEN_S) & (self._looks < stall[1] + UNSEEN_S)]
        edges = np.concatenate([[stall[0] - UNSEEN_S], looks, [stall[1] + UNSEEN_S]])
        return [(float(a), float(b)) for a, b in pairwise(edges) if b - a > UNSEEN_S]


def _of(frame: pd.DataFrame, partition: int) -> pd.DataFrame:
    return frame[frame["partition"] == partition]


def _window(run: Run, window: object) -> Span:
    """From when a fault was begun until it was healed."""
    begun, healed = int(window.intended_ns), int(window.healed_ns)  # type: ignore[attr-defined]
    return (begun - run.t0_ns) / NS, (healed - run.t0_ns) / NS if healed > 0 else FOREVER_S


def _stretches(samples: pd.DataFrame, bad: pd.Series[bool]) -> list[Span]:
    """From the last sample before a bad one to the first after it."""
    t_s, wrong = samples["t_s"].to_numpy(), bad.to_numpy()
    edges = np.flatnonzero(np.diff(wrong.astype(int), prepend=0, append=0))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(float(t_s[max(a - 1, 0)]), float(t_s[b]) if b < len(t_s) else FOREVER_S) for a, b in pairs]


def _away(run: Run) -> dict[str, list[Span]]:
    """When each node was dead or frozen, as the probe saw it."""
    samples = run.processes.sort_values("t_ns", kind="stable")
    samples = samples.assign(t_s=run.seconds(samples["t_ns"]))
    named = samples.groupby("name", observed=True)
    return {str(name): _stretches(mine, mine["status"] != "running") for name, mine in named}


def _no_answer(run: Run) -> list[Span]:
    samples = run.database.sort_values("t_ns", kind="stable")
    return _stretches(samples.assign(t_s=run.seconds(samples["t_ns"])), samples["answer"] != "ok")


def _first_of(known: Sequence[Stretch], stall: Span) -> list[Stretch]:
    """The stall in pieces, each with the first of the `known` that covers it; what none covers is left out."""
    left, found = [stall], []
    for one in sorted(known, key=lambda k: IN_ORDER.index(k.cause)):
        mine = common(left, [(one.start_s, one.end_s)])
        told = [span for span in mine if one.cause in OF_THE_SYSTEM or span[1] - span[0] >= LOOK_S]
        found += [Stretch(one.cause, one.of, *span) for span in told]
        left = [rest for part in left for rest in outside(told, part)]
    return sorted(found, key=lambda k: k.start_s)


def _whole(
    found: list[Stretch], stall: Span, service: str, no_acks: Sequence[Span], unseen: Sequence[Span]
) -> list[Stretch]:
    """The same with the rest of the stall named as well, and joined where cause and node go on."""
    first_s = min((s.start_s for s in found if s.cause in OF_THE_SYSTEM), default=FOREVER_S)
    for rest in outside([(s.start_s, s.end_s) for s in found], stall):
        if rest[1] - rest[0] < LOOK_S and found:
            continue
        dark = common([rest], unseen)
        found += [Stretch(NOT_OBSERVED, "", *span) for span in dark]
        for span in outside(dark, rest):
            found += _after(span, service, no_acks) if span[0] >= first_s else [Stretch(UNKNOWN, "", *span)]
    return _joined(sorted(found, key=lambda k: k.start_s), stall)


def _after(span: Span, service: str, no_acks: Sequence[Span]) -> list[Stretch]:
    """Whose turn it is when the system is whole again: the client's that has not gone on yet."""
    if service == "acks":
        return [Stretch(PRODUCER, "", *span)]
    nothing_new = common([span], no_acks)
    late = [Stretch(PRODUCER, "", *one) for one in nothing_new]
    return late + [Stretch(PROCESSOR, "", *one) for one in outside(nothing_new, span)]


def _joined(found: list[Stretch], stall: Span) -> list[Stretch]:
    joined: list[Stretch] = []
    for one in found:
        if joined and (one.cause, one.of) == joined[-1][:2]:
            joined[-1] = joined[-1]._replace(end_s=one.end_s)
        else:
            joined.append(one)
    starts = [stall[0], *(one.start_s for one in joined[1:]), stall[1]]
    return [one._replace(start_s=a, end_s=b) for one, a, b in zip(joined, starts, starts[1:], strict=False)]
