"""Places in the log, and the final read in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from factorylab.core.scratch import array, chunks
from factorylab.history.saved_run import Run
from factorylab.history.table_chunks import Ints

_OFFSET_BITS = 48
RECORD = ("partition", "offset", "sensor", "seq", "payload_hash")


def place(partition: Ints, offset: Ints) -> Ints:
    """(partition, offset) as one number that sorts like the pair; −1 for an unknown place."""
    packed = (partition.astype(np.int64) << _OFFSET_BITS) | offset
    return np.where((partition < 0) | (offset < 0), -1, packed)


def distinct(values: Ints) -> Ints:
    """Each of them once, ascending. `numpy.unique` takes ten times as long for a million: it hashes."""
    inorder = np.sort(values)
    found: Ints = inorder[np.append(True, inorder[1:] != inorder[:-1])[: len(inorder)]]
    return found


def partition_of(places: Ints) -> Ints:
    """−1 for an unknown place."""
    return places >> _OFFSET_BITS


def offset_of(places: Ints) -> Ints:
    return places & ((1 << _OFFSET_BITS) - 1)


class Log:
    """The final read in the order of (partition, offset). Arrays "by record" have `count` entries:

    place         int64, ascending
    key           of its reading, as `Readings.keys` has it
    payload_hash  uint64
    """

    def __init__(self, run: Run, keys: Callable[[Ints, Ints], Ints], key_dtype: str) -> None:
        self._run, self._order = run, _Order(run)
        self.count = self._order.count
        self.place, self.payload_hash = array(self.count, "int64"), array(self.count, "uint64")
        self.key = array(self.count, key_dtype)
        for chunk in run.chunks("log", *RECORD):
            at = self._order.records(chunk.rows)
            self.place[at] = place(chunk["partition"], chunk["offset"])
            self.payload_hash[at] = chunk["payload_hash"]
            self.key[at] = keys(chunk["sensor"], chunk["seq"])

    def __len__(self) -> int:
        return self.count

    @property
    def partitions(self) -> dict[int, tuple[int, int]]:
        """Partition → its first record and the one after its last."""
        return self._order.partitions

    def of(self, column: str) -> Ints:
        """A column by record; not kept."""
        found = array(self.count, "float64" if column == "value" else "uint64")
        for chunk in self._run.chunks("log", column):
            found[self._order.records(chunk.rows)] = chunk[column]
        return found

    def take(self, records: Ints) -> pd.DataFrame:
        """Some records: partition, offset, sensor, seq, payload_hash."""
        return self._run.take("log", self._order.rows(records), *RECORD)

    def at(self, wanted: Ints) -> Ints:
        """The record at each place, −1 where the log holds nothing there."""
        if not self.count:
            return np.full(len(wanted), -1)
        if self._order.dense:
            return self._order.at(wanted)
        record = np.minimum(np.searchsorted(self.place, wanted), self.count - 1)
        return np.where(self.place[record] == wanted, record, -1)

    def before(self, places: Ints) -> Ints:
        """How many records lie before each place. Where the places follow each other nothing is looked up: each look
        into a large file holds pages of it."""
        dense = self._order.dense and self.count > 0
        return self._order.before(places) if dense else np.searchsorted(self.place, places)

    def sums_before(self, records: Ints) -> Ints:
        """The sum of the payload hashes of all records before each of some, modulo 2^64."""
        order = np.argsort(records, kind="stable")
        inorder, found, total = records[order], np.zeros(len(records), np.uint64), np.uint64(0)
        for part in chunks(self.count):
            sums = np.cumsum(np.append(total, self.payload_hash[part]), dtype=np.uint64)
            low, high = np.searchsorted(inorder, [part.start, part.stop + (part.stop == self.count)])
            found[order[low:high]] = sums[inorder[low:high] - part.start]
            total = sums[-1]
        return found

    def latest(self, moments: Callable[[slice], Ints], low: Ints, high: Ints) -> Ints:
        """The greatest of the records' `moments` in each range low … high − 1, −1 of an empty one."""
        greatest = np.full(len(low), np.iinfo(np.int64).min)
        for part in chunks(self.count):
            here = np.flatnonzero((low < part.stop) & (high > part.start) & (low < high))
            if len(here):
                padded = np.append(moments(part), -1)
                first, last = np.maximum(low[here], part.start), np.minimum(high[here], part.stop)
                edges = np.stack([first, last], 1).ravel() - part.start
                greatest[here] = np.maximum(greatest[here], np.maximum.reduceat(padded, edges)[::2])
        return np.where(low < high, greatest, -1)


class _Order:
    """Which record each row of the table `log` is: a consumer reads each partition in the order of offsets, and turns
    from one to the other. A table that is not so, which the final read never writes, is sorted in memory.

    `partitions`: partition → its first record and the one after its last, −1 for unknown places. `dense`: the places of
    each partition follow each other without a hole.
    """

    def __init__(self, run: Run) -> None:
        self._run, self.count = run, run.row_count("log")
        self._look()
        self._record = None if self._in_order else self._sorted()

    def _look(self) -> None:
        count, last, before = dict[int, int](), dict[int, int](), -1
        self._in_order = self._in_turn = self.dense = True
        for _, where in _places(self._run):
            self._in_order &= bool((np.diff(where, prepend=before) >= 0).all())
            before = int(where[-1])
            for p, rows in _by_partition(where):
                mine = where[rows]
                steps = np.diff(mine, prepend=last.get(p, mine[0] - 1))
                self._in_turn &= bool((steps >= 0).all())
                self.dense &= p >= 0 and bool((steps == 1).all())
                count[p], last[p] = count.get(p, 0) + len(rows), int(mine[-1])
        edges = np.cumsum([0, *(count[p] for p in sorted(count))]).tolist()
        self.partitions = {p: (edges[i], edges[i + 1]) for i, p in enumerate(sorted(count))}
        self._last = last

    def _sorted(self) -> Ints:
        found = array(self.count, "int32" if self.count < 1 << 31 else "int64")
        if self._in_turn:
            after = {p: low for p, (low, _) in self.partitions.items()}
            for start, where in _places(self._run):
                for p, rows in _by_partition(where):
                    found[start + rows] = np.arange(after[p], after[p] + len(rows))
                    after[p] += len(rows)
        else:
            everywhere = np.concatenate([where for _, where in _places(self._run)])
            found[np.argsort(everywhere, kind="stable")] = np.arange(self.count)
        return found

    def records(self, rows: slice) -> Ints | slice:
        """The records of some rows of the table."""
        return rows if self._record is None else self._record[rows]

    def rows(self, records: Ints) -> Ints:
        """The rows of some records in the table."""
        return records if self._record is None else self._row[records]

    @cached_property
    def _row(self) -> Ints:
        found = array(self.count, "int32" if self.count < 1 << 31 else "int64")
        for part in chunks(self.count):
            found[self.records(part)] = np.arange(part.start, part.stop)
        return found

    @cached_property
    def _known(self) -> tuple[Ints, Ints, Ints]:
        """By partition: its first record, and its first and last place; −1 for those that are not in the log."""
        first, low, high = np.full((3, max(self.partitions, default=-1) + 1), -1)
        for p, (start, end) in self.partitions.items():
            first[p], high[p] = start, self._last[p]
            low[p] = high[p] - (end - start - 1)
        return first, low, high

    def at(self, wanted: Ints) -> Ints:
        """The record at each place, where all of them follow each other."""
        first, low, high = self._known
        partition = partition_of(wanted)
        known = (partition >= 0) & (partition < len(first))
        p = np.where(known, partition, 0)
        return np.where(known & (wanted >= low[p]) & (wanted <= high[p]), first[p] + wanted - low[p], -1)

    def before(self, wanted: Ints) -> Ints:
        """How many records lie before each place, where all of them follow each other."""
        first, low, high = self._known
        partition = np.clip(partition_of(wanted), -1, len(first) - 1)
        known = (partition == partition_of(wanted)) & (first[partition] >= 0) & (partition >= 0)
        starts = np.array([self.partitions[p][0] for p in sorted(self.partitions)] + [self.count])
        others = starts[np.searchsorted(sorted(self.partitions), partition_of(wanted))]
        inside = first[partition] + np.clip(wanted, low[partition], high[partition] + 1) - low[partition]
        return np.where(known, inside, others)


def _places(run: Run) -> Iterator[tuple[int, Ints]]:
    """The places of the table `log`, as they are stored: row of the first, and some of them."""
    for chunk in run.chunks("log", "partition", "offset"):
        yield chunk.start, place(chunk["partition"], chunk["offset"])


def _by_partition(where: Ints) -> Iterator[tuple[int, Ints]]:
    """Positions of the places of each partition, in their order."""
    partition = partition_of(where).astype(np.int16)
    order = np.argsort(partition, kind="stable")
    edges = np.flatnonzero(np.diff(partition[order])) + 1
    for rows in np.split(order, edges):
        yield int(partition[rows[0]]), rows
