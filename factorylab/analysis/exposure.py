"""Exposure: what the death of each leader would have lost, at every moment of a run.

An acknowledged reading is *exposed* while one broker alone is known to hold it: its offset lies above the high
watermark (acknowledged under acks=1 before a follower had it), or it was acknowledged while the ISR was the leader
alone.

What is known at a moment lies between two of the probe's answers, so the number is a band:

    floor      offsets below it have a copy. While two or more are in sync, the high watermark; while one is, the high
               watermark when it came to be alone, at the lowest that of two answers before the first that says so
    high       acknowledged until now at or above the lowest that the floor can be: as it was last answered
    low        acknowledged until now at or above the highest that the floor can be: as the next answer has it

What a change of leader cut off is lost, no longer exposed: it counts until the change, within the probe's samples of
it, and never if it was acknowledged later by a leader that did not know. Which it was is known from the final read.

Under acks=all an acknowledgement itself proves that all in sync have the reading, so with two or more in sync none is
exposed and the band is nothing. Where brokers contradict each other the newest leader epoch counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from factorylab.analysis.epochs import Change, Epochs, cut_by
from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.core.scratch import Numbers
from factorylab.history.saved_run import Run

UNASKED_S = 1.5  # histories without `asked_ns`: the probe gives an answer up after 1 s and writes it for 0.5 s more
KEPT = -1  # by no change of the leader cut off
COLUMNS = ("t_s", "partition", "leader", "low", "high", "alone")


def exposure(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """One row a partition and sample: t_s, partition, leader, low, high (readings), alone (the ISR was the leader)."""
    readings = readings or Readings(run)
    parts = [_of_partition(run, *one, readings.acks == "all") for one in watched(run, readings)]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return found[list(COLUMNS)]


def watched(run: Run, readings: Readings) -> Iterator[tuple[pd.DataFrame, AcksUntilCut, AcksUntilCut]]:
    """Of each partition the probe's samples with a leader, in the order of time, and the acknowledgements that were not
    cut off yet (surely), and that were not seen to be (possibly)."""
    epochs = run.once(Epochs)
    samples = run.partitions[run.partitions["leader"] >= 0].sort_values("t_ns", kind="stable")
    changes = {p: epochs.changes(p) for p in samples["partition"].unique().tolist()}
    acks = _acks(run, readings, changes)
    for name, mine in samples.groupby("partition"):
        partition = int(str(name))
        surely = possibly = [(acks[partition].pop(KEPT), FOREVER_NS)]
        for number, lost in sorted(acks[partition].items()):
            change = changes[partition][number]
            surely = [*surely, (lost, change.before.last_ns)]
            possibly = [*possibly, (lost, change.after.first_ns - 1)]
        yield mine, AcksUntilCut(surely), AcksUntilCut(possibly)


def _acks(run: Run, readings: Readings, changes: Mapping[int, list[Change]]) -> Mapping[int, dict[int, Acks]]:
    """By partition: the acknowledgements that were KEPT, and those that a change of its leader cut off, by its
    number."""
    starts = dict(zip(run.frozen["partition"], run.frozen["start"], strict=True))
    found: dict[int, dict[int, Acks]] = {p: defaultdict(Acks, {KEPT: Acks()}) for p in changes}
    for chunk, key in readings.sends("t_ack_ns", "partition", "offset"):
        some, where, offset, t_ns = readings.of(key), chunk["partition"], chunk["offset"], chunk["t_ack_ns"]
        known = some.acked & (offset >= 0)
        gone = ~some.in_log if "end" in run.phases else np.zeros(len(key), dtype=bool)
        for p, acks in found.items():
            mine = np.flatnonzero(known & (where == p))
            cut = np.full(len(mine), KEPT)
            lost = gone[mine] & (offset[mine] >= starts.get(p, 0))
            cut[lost] = cut_by(changes[p], offset[mine[lost]], t_ns[mine[lost]])
            for number in {KEPT, *cut[lost].tolist()}:
                these = mine[cut == number]
                acks[number].add(t_ns[these], offset[these])
    return found


class Acks:
    """Acknowledgements of one partition."""

    def __init__(self) -> None:
        self._t_ns, self._offset = Numbers("int64"), Numbers("int64")

    def add(self, t_ns: Ints, offset: Ints) -> None:
        self._t_ns.add(t_ns)
        self._offset.add(offset)

    def _parts(self) -> Iterator[tuple[Ints, Ints]]:
        return zip(self._t_ns.parts(), self._offset.parts(), strict=True)

    def end(self, t_ns: Ints) -> Ints:
        """The offset after the highest one that was acknowledged by each moment."""
        inorder, highest = np.sort(t_ns), np.zeros(len(t_ns) + 1, dtype=np.int64)
        for answered, offset in self._parts():
            np.maximum.at(highest, np.searchsorted(inorder, answered), offset + 1)
        return np.maximum.accumulate(highest)[np.searchsorted(inorder, t_ns)]

    def count(self, t_ns: Ints, floor: Ints) -> Ints:
        """How many offsets ≥ floor were acknowledged by each moment. While the floor does not fall, an acknowledgement
        counts from its moment on until the floor has risen above it."""
        found, inorder = np.zeros(len(t_ns), dtype=np.int64), np.argsort(t_ns, kind="stable")
        rising = np.split(inorder, np.flatnonzero(np.diff(floor[inorder]) < 0) + 1)
        for answered, offset in self._parts():
            for at in rising:
                begins = np.searchsorted(t_ns[at], answered)
                ends = np.searchsorted(floor[at], offset, side="right")
                counts = begins < ends
                steps = [np.bincount(edge[counts], minlength=len(at) + 1) for edge in (begins, ends)]
                found[at] += np.cumsum(steps[0] - steps[1])[:-1]
        return found


class AcksUntilCut:
    """The acknowledgements of one partition in parts, each with the last moment at which it had not been cut off."""

    def __init__(self, parts: list[tuple[Acks, int]]) -> None:
        self._parts = parts

    def end(self, t_ns: Ints) -> Ints:
        """As `Acks.end`."""
        ends = [np.where(t_ns <= last_ns, acks.end(t_ns), 0) for acks, last_ns in self._parts]
        return np.asarray(np.max(ends, axis=0))

    def count(self, t_ns: Ints, floor: Ints) -> Ints:
        """As `Acks.count`."""
        counts = [np.where(t_ns <= last_ns, acks.count(t_ns, floor), 0) for acks, last_ns in self._parts]
        return np.asarray(np.sum(counts, axis=0))


def _of_partition(
    run: Run, samples: pd.DataFrame, surely: AcksUntilCut, possibly: AcksUntilCut, acks_all: bool
) -> pd.DataFrame:
    t_ns, asked = samples["t_ns"].to_numpy(), asked_ns(samples)
    answered = samples["valid"].to_numpy()
    alone = samples["isr"].map(len).to_numpy() <= 1
    following = np.searchsorted(asked, t_ns, side="left")  # the first answer that was asked for at this moment or later
    last = len(samples) - 1
    end = np.where(answered, samples["end"].to_numpy(), -1)
    lowest, highest = end, end
    if acks_all:
        lowest, highest = np.maximum(end, surely.end(asked)), np.maximum(end, possibly.end(t_ns))
    soon = alone | np.append(alone[1:], False)  # an answer's end is younger than its ISR: it may be of a leader alone
    high = possibly.count(t_ns, _floor(lowest, soon, 0))
    later = _floor(highest, alone, 1)[np.minimum(following, last)]
    low = np.where(following <= last, surely.count(t_ns, later), 0)
    if acks_all:
        high, low = np.where(alone | alone[np.minimum(following, last)], high, 0), np.where(alone, low, 0)
    return samples[["partition", "leader"]].assign(
        t_s=run.seconds(samples["t_ns"]), low=np.minimum(low, high), high=high, alone=alone
    )


def asked_ns(samples: pd.DataFrame) -> Ints:
    """When the probe asked for each sample, at the earliest."""
    return samples["asked_ns"].where(samples["asked_ns"] >= 0, samples["t_ns"] - round(UNASKED_S * NS)).to_numpy()


def _floor(copied: Ints, alone: Ints, alone_for: int) -> Ints:
    """By sample: the offset below which every record has a copy. `copied` is what the sample itself says, −1 nothing.

    It stands still while a replica is alone: from the last sample before that on (`alone_for` 0), the lowest that it
    can be, or from the first sample of it on (1), the highest.
    """
    found, at, lonely = np.zeros(len(copied), dtype=np.int64), 0, 0
    for i, said in enumerate(copied):
        lonely = lonely + 1 if alone[i] else 0
        if lonely <= alone_for and said >= 0:
            at = int(said)
        found[i] = at
    return found


def by_leader(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `exposure` summed by moment and leader: t_s, leader, low, high."""
    return frame.groupby(["t_s", "leader"], as_index=False)[["low", "high"]].sum()


def worst_moment(frame: pd.DataFrame) -> pd.Series | None:
    """Of `by_leader`, the moment at which most was surely exposed, or possibly where none surely was; None: never."""
    exposed = frame[frame["high"] > 0]
    return exposed.sort_values(["low", "high", "t_s"], ascending=[False, False, True]).iloc[0] if len(exposed) else None
