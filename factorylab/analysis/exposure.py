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

import numpy as np
import pandas as pd

from factorylab.analysis.epochs import Epochs, cut_by
from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run

UNASKED_S = 1.5  # histories without `asked_ns`: the probe gives an answer up after 1 s and writes it for 0.5 s more
FOREVER_NS = 1 << 62
COLUMNS = ("t_s", "partition", "leader", "low", "high", "alone")


def exposure(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """One row a partition and sample: t_s, partition, leader, low, high (readings), alone (the ISR was the leader)."""
    readings, epochs = readings or Readings(run), Epochs(run)
    sends = run.frame("sends", "t_ack_ns", "partition", "offset")
    known = readings.acked[readings.send_key] & (sends["offset"] >= 0).to_numpy()
    gone = ~readings.in_log[readings.send_key] if "end" in run.phases else np.zeros(len(sends), dtype=bool)
    starts = dict(zip(run.frozen["partition"], run.frozen["start"], strict=True))
    where, when, offset = (sends[name].to_numpy() for name in ("partition", "t_ack_ns", "offset"))
    samples = run.partitions[run.partitions["leader"] >= 0].sort_values("t_ns", kind="stable")
    parts = []
    for name, mine in samples.groupby("partition"):
        partition = int(str(name))
        chosen = np.flatnonzero(known & (where == partition))
        lost = chosen[gone[chosen] & (offset[chosen] >= starts.get(partition, 0))]
        changes = epochs.changes(partition)
        cut = cut_by(changes, offset[lost], when[lost])
        kept = np.setdiff1d(chosen, lost[cut >= 0], assume_unique=True)
        surely = possibly = [(Acks(when[kept], offset[kept]), FOREVER_NS)]
        for number in np.unique(cut[cut >= 0]):
            these, change = lost[cut == number], changes[number]
            acks = Acks(when[these], offset[these])
            surely = [*surely, (acks, change.before.last_ns)]
            possibly = [*possibly, (acks, change.after.first_ns - 1)]
        parts.append(_of_partition(run, mine, AcksUntilCut(surely), AcksUntilCut(possibly), readings.acks == "all"))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return found[list(COLUMNS)]


class Acks:
    """The acknowledgements of one partition."""

    def __init__(self, t_ns: Ints, offset: Ints) -> None:
        by_time, by_offset = np.argsort(t_ns, kind="stable"), np.argsort(offset, kind="stable")
        self._times, self._top = t_ns[by_time], np.maximum.accumulate(offset[by_time])
        self._offsets, self._t_by_offset = offset[by_offset], t_ns[by_offset]

    def end(self, t_ns: Ints) -> Ints:
        """The offset after the highest one that was acknowledged by each moment."""
        count = np.searchsorted(self._times, t_ns, side="right")
        return (
            np.where(count > 0, self._top[np.maximum(count - 1, 0)] + 1, 0) if len(self._top) else np.zeros(len(t_ns))
        )

    def count(self, t_ns: Ints, floor: Ints) -> Ints:
        """How many offsets ≥ floor were acknowledged by each moment."""
        low = np.searchsorted(self._offsets, floor)
        high = np.maximum(np.searchsorted(self._offsets, self.end(t_ns)), low)
        return np.array(
            [int((self._t_by_offset[a:b] <= t).sum()) for a, b, t in zip(low, high, t_ns, strict=True)], dtype=np.int64
        )


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
    """`surely`: not cut off yet; `possibly`: not seen to be."""
    t_ns = samples["t_ns"].to_numpy()
    asked = samples["asked_ns"].where(samples["asked_ns"] >= 0, samples["t_ns"] - round(UNASKED_S * NS)).to_numpy()
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
