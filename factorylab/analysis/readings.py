"""The readings of a run as sets: due, offered, acknowledged, in the log, stored.

A reading is (sensor, seq). Each gets a dense *key*, base[sensor] + seq, so that a set is an array by key and every
question is one pass without a sort. A record whose (sensor, seq) was never due has no key (−1).

An acknowledgement under acks=0 says nothing: such a reading counts as unknown, never as acknowledged.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.history.saved_run import Run

Ints = NDArray[Any]
Mask = NDArray[np.bool_]

NEVER, OK, UNKNOWN, FAIL, SHED, NOT_OFFERED = range(6)
_CODES: dict[str, int] = {"ok": OK, "unknown": UNKNOWN, "fail": FAIL, "shed": SHED, "not_offered": NOT_OFFERED}
_OFFSET_BITS = 48


def place(partition: Ints, offset: Ints) -> Ints:
    """(partition, offset) as one number that sorts like the pair; −1 for an unknown place."""
    packed = (partition.astype(np.int64) << _OFFSET_BITS) | offset
    return np.where((partition < 0) | (offset < 0), -1, packed)


def _limits(partition: pd.Series[int], offset: pd.Series[int], of: pd.Series[int]) -> Ints:
    """The offset of each partition in `of`, 0 where none is known: one look-up a row, since a log may have millions."""
    known, wanted = partition.to_numpy(), of.to_numpy()
    limits = np.zeros(max(known.max(initial=0), wanted.max(initial=0)) + 2, dtype=np.int64)  # the last is that of −1
    limits[known] = offset.to_numpy()
    return limits[wanted]


class Readings:
    """Sets of one run, computed when first asked for; arrays "by key" have `size` entries."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def sends(self) -> pd.DataFrame:
        """Under acks=0 no broker told an offset: where the client gives one, it has counted by itself from 0."""
        frame = self.run.frame("sends", "sensor", "seq", "partition", "offset", "outcome", "payload_hash")
        return frame.assign(offset=-1) if self.acks == "0" else frame

    @cached_property
    def log(self) -> pd.DataFrame:
        """The final read in the order of (partition, offset)."""
        return self._in_order(self.run.frame("log", "partition", "offset", "sensor", "seq", "payload_hash"))

    @staticmethod
    def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
        where = place(frame["partition"].to_numpy(), frame["offset"].to_numpy())
        if bool((where[1:] >= where[:-1]).all()):
            return frame
        return frame.iloc[np.argsort(where, kind="stable")].reset_index(drop=True)

    def of_log(self, column: str) -> Ints:
        """A column of the log, in its order; not kept."""
        return self._in_order(self.run.frame("log", "partition", "offset", column))[column].to_numpy()

    @cached_property
    def rows(self) -> pd.DataFrame:
        return self.run.frame("rows", "sensor", "seq", "partition", "offset")

    @cached_property
    def last_seq(self) -> Ints:
        """By sensor: the last seq that was due, −1 where none was."""
        known = self.run.frame("sensors", "sensor")["sensor"].max()
        top = self.sends.groupby("sensor", observed=True)["seq"].max()
        last = np.full(int(max(top.index.max() if len(top) else -1, -1 if pd.isna(known) else known)) + 1, -1)
        last[top.index.to_numpy()] = top.to_numpy()
        return last

    @cached_property
    def base(self) -> Ints:
        """By sensor: the key of its seq 0; one entry more than there are sensors."""
        return np.concatenate([[0], np.cumsum(self.last_seq + 1)])

    @property
    def size(self) -> int:
        return int(self.base[-1])

    def keys(self, frame: pd.DataFrame) -> Ints:
        """Key of each row of a frame with the columns sensor and seq; −1 where it was never within the journal."""
        sensor, seq = frame["sensor"].to_numpy(), frame["seq"].to_numpy()
        known = (sensor >= 0) & (sensor < len(self.last_seq))
        safe = np.where(known, sensor, 0) if len(self.last_seq) else np.zeros(0, int)
        if not len(self.last_seq):
            return np.full(len(frame), -1)
        return np.where(known & (seq >= 0) & (seq <= self.last_seq[safe]), self.base[safe] + seq, -1)

    def named(self, key: Ints) -> tuple[Ints, Ints]:
        """(sensor, seq) of keys."""
        sensor = (np.searchsorted(self.base, key, side="right") - 1).astype(np.int32)
        return sensor, key - self.base[sensor]

    @cached_property
    def send_key(self) -> Ints:
        return self.keys(self.sends)

    @cached_property
    def log_key(self) -> Ints:
        return self.keys(self.log)

    @cached_property
    def row_key(self) -> Ints:
        return self.keys(self.rows)

    @cached_property
    def log_place(self) -> Ints:
        """Ascending `place` of each record of the log."""
        return place(self.log["partition"].to_numpy(), self.log["offset"].to_numpy())

    @cached_property
    def acks(self) -> str:
        """The producer's effective acks."""
        declared = self.run.manifest.producer.get("acks", self.run.scenario.clients.acks)
        return {"-1": "all"}.get(declared, declared)

    @cached_property
    def outcome(self) -> Ints:
        """By key: NEVER (due), OK, UNKNOWN, FAIL, SHED or NOT_OFFERED."""
        kinds = self.sends["outcome"].cat
        codes = np.array([_CODES[str(name)] for name in kinds.categories] or [NEVER], dtype=np.int8)
        if self.acks == "0":
            codes[codes == OK] = UNKNOWN
        found = np.zeros(self.size, dtype=np.int8)
        found[self.send_key] = codes[kinds.codes.to_numpy()]
        return found

    @cached_property
    def acked(self) -> Mask:
        acked: Mask = self.outcome == OK
        return acked

    @cached_property
    def offered(self) -> Mask:
        """By key: it was handed to the producer."""
        found: Mask = (self.outcome != NEVER) & (self.outcome != NOT_OFFERED)
        return found

    @cached_property
    def send_row(self) -> Ints:
        """By key: its row in `sends`, −1 where never due."""
        return self._first(self.send_key)

    @cached_property
    def log_row(self) -> Ints:
        """By key: the first of its records in `log`, −1 where it is not there."""
        return self._first(self.log_key)

    @cached_property
    def row_row(self) -> Ints:
        """By key: the first of its rows in `rows`, −1 where it is not stored."""
        return self._first(self.row_key)

    @cached_property
    def in_log(self) -> Mask:
        return self.log_row >= 0

    @cached_property
    def stored(self) -> Mask:
        return self.row_row >= 0

    def below_start(self, frame: pd.DataFrame) -> Mask:
        """Rows of a frame whose place the log no longer goes down to."""
        frozen, offset = self.run.frozen, frame["offset"].to_numpy()
        below: Mask = (offset >= 0) & (offset < _limits(frozen["partition"], frozen["start"], frame["partition"]))
        return below

    @cached_property
    def dead_lettered(self) -> Mask:
        """By key: its record went to the dead letters. What the log holds no more is placed by its acknowledgement."""
        dead = self.run.frame("dead_letters", "partition", "offset")
        letters = place(dead["partition"].to_numpy(), dead["offset"].to_numpy())
        where = self.at(letters)
        key = self.log_key[where[where >= 0]]
        acknowledged = place(self.sends["partition"].to_numpy(), self.sends["offset"].to_numpy())
        found = np.zeros(self.size, dtype=bool)
        found[key[key >= 0]] = True
        found[self.send_key[np.isin(acknowledged, letters[where < 0])]] = True
        return found

    @cached_property
    def behind(self) -> Mask:
        """By key: its first record lies below the position that the store had reached."""
        position = self.run.frame("positions", "partition", "next_offset")
        limit = _limits(position["partition"], position["next_offset"], self.log["partition"])
        found = np.zeros(self.size, dtype=bool)
        found[self.in_log] = (self.log["offset"].to_numpy() < limit)[self.log_row[self.in_log]]
        return found

    def at(self, wanted: Ints) -> Ints:
        """Row of the log at each `place`, −1 where the log holds nothing there."""
        if not len(self.log_place):
            return np.full(len(wanted), -1)
        row = np.minimum(np.searchsorted(self.log_place, wanted), len(self.log_place) - 1)
        return np.where(self.log_place[row] == wanted, row, -1)

    def _first(self, key: Ints) -> Ints:
        found = np.full(self.size, -1, dtype=np.int32)
        row = np.flatnonzero(key >= 0)[::-1]
        found[key[row]] = row
        return found
