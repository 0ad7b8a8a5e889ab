"""The readings of a run as sets: due, offered, acknowledged, in the log, stored.

A reading is (sensor, seq). Each gets a dense *key*, base[sensor] + seq, so that a set is an array by key and every
question is one pass without a sort. A record whose (sensor, seq) was never due has no key: −1, or BEYOND where its
sensor's journal ends before it. Arrays by key, by record and by row are those of `core.scratch`: a question goes over
them by the chunk (`select`, `count`), so that no set is held in memory.

An acknowledgement under acks=0 says nothing: such a reading counts as unknown, never as acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from factorylab.analysis.places import Log, distinct, offset_of, partition_of, place
from factorylab.core.clock import FOREVER_NS
from factorylab.core.errors import LabError
from factorylab.core.scratch import array, chunks
from factorylab.history.saved_run import Run
from factorylab.history.table_chunks import Chunk, Ints, Mask

__all__ = ["Ints", "Mask", "Readings", "place"]

NEVER, OK, UNKNOWN, FAIL, SHED, NOT_OFFERED = range(6)
_CODES: dict[str, int] = {"ok": OK, "unknown": UNKNOWN, "fail": FAIL, "shed": SHED, "not_offered": NOT_OFFERED}
BEYOND = -2
GAPS, SMALL = 10, 1 << 20  # what was cut out of a journal leaves gaps; so many entries cost little


class Readings:
    """Sets of one run, computed when first asked for; arrays "by key" have `size` entries."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def log(self) -> Log:
        """The final read in the order of (partition, offset)."""
        return Log(self.run, self.keys, self._key_dtype)

    @cached_property
    def rows(self) -> Stored:
        """The rows of the store."""
        return Stored(self)

    @cached_property
    def last_seq(self) -> Ints:
        """By sensor: the last seq that was due, −1 where none was.

        Raises:
            LabError: there would be far more readings than the journal has rows. Fleets number sensors and readings
                without gaps, so one of the numbers was altered, and the room for it would be taken for nothing.
        """
        known = self.run.frame("sensors", "sensor")["sensor"].max()
        last = np.full(0 if pd.isna(known) else self._possible(int(known) + 1, "sensors.sensor"), -1)
        for chunk in self.run.chunks("sends", "sensor", "seq"):
            sensors = self._possible(int(chunk["sensor"].max(initial=-1)) + 1, "sends.sensor")
            last = np.append(last, np.full(max(sensors - len(last), 0), -1))
            np.maximum.at(last, chunk["sensor"], chunk["seq"])
        self._possible(sum(last.tolist()) + len(last), "sends.seq")
        return last

    def _possible(self, count: int, column: str) -> int:
        rows = self.run.row_count("sends")
        if count > GAPS * rows + SMALL:
            raise LabError(f"{column} asks for {count:,} of them, and sends has {rows:,} rows: a number was altered")
        return count

    @cached_property
    def base(self) -> Ints:
        """By sensor: the key of its seq 0; one entry more than there are sensors."""
        return np.concatenate([[0], np.cumsum(self.last_seq + 1)])

    @property
    def size(self) -> int:
        return int(self.base[-1])

    @property
    def _key_dtype(self) -> str:
        return "int32" if self.size < 1 << 31 else "int64"

    def keys(self, sensor: Ints, seq: Ints) -> Ints:
        """Key of each reading; −1 where it was never within the journal, BEYOND where that was cut before it."""
        if not len(self.last_seq):
            return np.full(len(sensor), -1)
        known = (sensor >= 0) & (sensor < len(self.last_seq))
        safe = np.where(known, sensor, 0)
        beyond = seq > self.last_seq[safe]
        return np.where(known & (seq >= 0), np.where(beyond, BEYOND, self.base[safe] + seq), -1)

    def named(self, key: Ints) -> tuple[Ints, Ints]:
        """(sensor, seq) of keys."""
        sensor = (np.searchsorted(self.base, key, side="right") - 1).astype(np.int32)
        return sensor, key - self.base[sensor]

    @cached_property
    def acks(self) -> str:
        """The producer's effective acks."""
        declared = self.run.manifest.producer.get("acks", self.run.scenario.clients.acks)
        return {"-1": "all"}.get(declared, declared)

    @cached_property
    def _sent(self) -> tuple[Ints, Ints, Ints]:
        """By row of `sends` its key; by key the first of its rows, −1 where it was never due, and its outcome."""
        key = array(self.run.row_count("sends"), self._key_dtype)
        row, outcome = array(self.size, "int32", -1), array(self.size, "int8")
        for chunk in self.run.chunks("sends", "sensor", "seq", "outcome"):
            found = key[chunk.rows] = self.keys(chunk["sensor"], chunk["seq"])
            first(row, found, chunk.start)
            codes = chunk.text("outcome").coded(_CODES, "int8")
            if self.acks == "0":
                codes[codes == OK] = UNKNOWN
            outcome[found[found >= 0]] = codes[found >= 0]
        return key, row, outcome

    @property
    def send_key(self) -> Ints:
        """By row of `sends`."""
        return self._sent[0]

    @property
    def send_row(self) -> Ints:
        """By key: the first of its rows in `sends`, −1 where never due."""
        return self._sent[1]

    @property
    def outcome(self) -> Ints:
        """By key: NEVER (due), OK, UNKNOWN, FAIL, SHED or NOT_OFFERED."""
        return self._sent[2]

    @cached_property
    def log_row(self) -> Ints:
        """By key: the first of its records in `log`, −1 where it is not there."""
        found = array(self.size, "int32", -1)
        for part in chunks(len(self.log)):
            first(found, self.log.key[part], part.start)
        return found

    @cached_property
    def _columns(self) -> dict[str, Ints]:
        return {}

    def sent(self, column: str) -> Ints:
        """By key: a column of its first row in `sends`, −1 where never due (of a hash 0); kept."""
        if column not in self._columns:
            hashed = column == "payload_hash"
            found = array(self.size, "uint64" if hashed else "int64", 0 if hashed else -1)
            for chunk in self.run.chunks("sends", column):
                key = self.send_key[chunk.rows]
                mine = np.flatnonzero(key >= 0)
                mine = mine[self.send_row[key[mine]] == mine + chunk.start]
                found[key[mine]] = chunk[column][mine]
            self._columns[column] = found
        return self._columns[column]

    def forget(self, column: str) -> None:
        """Keep a column of `sent` no longer."""
        self._columns.pop(column, None)

    @cached_property
    def written_ns(self) -> Ints:
        """By key: when a program under test wrote its first row of it, as the row says; −1 where there is none."""
        found = array(self.size, "int64", FOREVER_NS)
        for chunk in self.run.chunks("rows", "t_ns"):
            key = self.rows.key[chunk.rows]
            np.minimum.at(found, key[key >= 0], chunk["t_ns"][key >= 0])
        for part in chunks(self.size):
            found[part] = np.where(found[part] < FOREVER_NS, found[part], -1)
        return found

    def of_log(self, column: str, part: slice) -> Ints:
        """`sent` of the readings of some records, −1 of those that were never due."""
        key = self.log.key[part]
        return np.where(key >= 0, self.sent(column)[key], -1) if self.size else np.full(len(key), -1)

    def sends(self, *columns: str) -> Iterator[tuple[Chunk, Ints]]:
        """Columns of `sends` by the chunk, with the keys. Under acks=0 no broker told an offset: where the client gives
        one, it has counted by itself from 0."""
        for chunk in self.run.chunks("sends", *columns):
            own = {"offset": np.full(chunk.count, -1)} if self.acks == "0" and "offset" in columns else {}
            yield Chunk(chunk.start, chunk.count, {**chunk.columns, **own}), self.send_key[chunk.rows]

    def acknowledged(self) -> Iterator[tuple[int, Ints, Ints]]:
        """By the chunk of `sends`: its first row, the keys, and the places that were acknowledged (−1: none)."""
        for chunk, key in self.sends("partition", "offset"):
            yield chunk.start, key, place(chunk["partition"], chunk["offset"])

    def of(self, key: slice | Ints) -> Some:
        """What is known of some readings: a range of keys, or these."""
        return Some(self, key)

    def select(self, condition: Callable[[Some], Mask]) -> Ints:
        """The keys of the readings that fulfil a condition, ascending."""
        found = [np.flatnonzero(condition(self.of(part))) + part.start for part in chunks(self.size)]
        return np.concatenate([np.empty(0, np.int64), *found])

    def count(self, condition: Callable[[Some], Mask]) -> int:
        """How many readings fulfil it."""
        return sum(int(np.count_nonzero(condition(self.of(part)))) for part in chunks(self.size))

    def which(self, keys: Ints, condition: Callable[[Some], Mask]) -> Mask:
        """By reading, of however many in any order: it has a key, and fulfils a condition."""
        found, order = np.zeros(len(keys), dtype=bool), np.argsort(keys, kind="stable")
        order = order[np.searchsorted(keys[order], 0) :]
        for part in chunks(len(order)):
            found[order[part]] = condition(self.of(keys[order[part]]))
        return found

    @cached_property
    def starts(self) -> dict[int, int]:
        """Partition → where its log begins now, of those that do not begin at 0."""
        frozen = self.run.frozen
        return {int(p): int(s) for p, s in zip(frozen["partition"], frozen["start"], strict=True) if s > 0}

    def below_start(self, places: Ints) -> Mask:
        """Places that the log no longer goes down to."""
        found = np.zeros(len(places), dtype=bool)
        for partition, start in self.starts.items():
            found |= (partition_of(places) == partition) & (offset_of(places) < start)
        return found

    @cached_property
    def dead_lettered(self) -> Mask:
        """By key: its record went to the dead letters. What the log holds no more is placed by its acknowledgement."""
        dead = self.run.frame("dead_letters", "partition", "offset")
        letters = place(dead["partition"].to_numpy(), dead["offset"].to_numpy())
        where = self.log.at(letters)
        if not len(letters):
            return nobody(self.size)
        found = array(self.size, "bool")
        key = self.log.key[where[where >= 0]]
        found[key[key >= 0]] = True
        for _, keys, places in self.acknowledged() if (where < 0).any() else ():
            key = keys[np.isin(places, letters[where < 0])]
            found[key[key >= 0]] = True
        return found

    @cached_property
    def expired(self) -> Mask:
        """By key: acknowledged, and not in the log any more, since its offset lies below the log's start: retention
        took it. Where the acknowledgement told no offset, which is legal, the place that its row was stored from says
        so."""
        if not self.starts:
            return nobody(self.size)
        told, found = array(self.size, "bool"), array(self.size, "bool")
        for _, key, places in self.acknowledged():
            told[key[(key >= 0) & (places >= 0)]] = True
            found[key[(key >= 0) & self.below_start(places)]] = True
        for _, keys, places in self.rows.places():
            key = keys[(keys >= 0) & self.below_start(places)]
            found[key[~told[key]]] = True
        for part in chunks(self.size):
            found[part] &= self.of(part).acked & ~self.of(part).in_log
        return found

    @cached_property
    def reached(self) -> tuple[Ints, Ints]:
        """By partition of the log: its first record, and the first that lies at the position of the store or beyond."""
        position = self.run.frame("positions", "partition", "next_offset")
        limits = dict(zip(position["partition"].tolist(), position["next_offset"].tolist(), strict=True))
        partitions = self.log.partitions
        positions = place(np.array(list(partitions), np.int64), np.array([limits.get(p, 0) for p in partitions]))
        starts = np.array([low for low, _ in partitions.values()], np.int64)
        return starts, self.log.before(positions)


class Some:
    """Some readings of a run. Each property is an array of what is known of them, in their order."""

    def __init__(self, readings: Readings, key: slice | Ints) -> None:
        self._of, self._key = readings, key

    @property
    def outcome(self) -> Ints:
        """NEVER (due), OK, UNKNOWN, FAIL, SHED or NOT_OFFERED."""
        return self._of.outcome[self._key]

    @property
    def due(self) -> Mask:
        found: Mask = self._of.send_row[self._key] >= 0
        return found

    @property
    def acked(self) -> Mask:
        found: Mask = self.outcome == OK
        return found

    @property
    def offered(self) -> Mask:
        """It was handed to the producer."""
        outcome = self.outcome
        found: Mask = (outcome != NEVER) & (outcome != NOT_OFFERED)
        return found

    @property
    def in_log(self) -> Mask:
        found: Mask = self._of.log_row[self._key] >= 0
        return found

    @property
    def stored(self) -> Mask:
        found: Mask = self._of.rows.first[self._key] >= 0
        return found

    @property
    def dead_lettered(self) -> Mask:
        return self._of.dead_lettered[self._key]

    @property
    def expired(self) -> Mask:
        return self._of.expired[self._key]

    @property
    def behind(self) -> Mask:
        """Its first record lies below the position that the store had reached."""
        record = self._of.log_row[self._key]
        starts, ends = self._of.reached
        if not len(starts):
            return np.zeros(len(record), dtype=bool)
        mine = np.maximum(np.searchsorted(starts, record, side="right") - 1, 0)
        found: Mask = (record >= 0) & (record < ends[mine])
        return found


class Stored:
    """The rows of the store, in the order of the table `rows`. Arrays "by row":

    key     of its reading, as `Readings.keys` has it
    record  at its place in the log, −1 where that holds nothing

    `first`, by key: the first of its rows, −1 where it is not stored.
    """

    def __init__(self, readings: Readings) -> None:
        self._run, self._log = readings.run, readings.log
        log = self._log
        self.count = readings.run.row_count("rows")
        self.key, self.record = array(self.count, readings._key_dtype), array(self.count, "int32")
        self.first = array(readings.size, "int32", -1)
        self.of_record = array(len(log), "bool")
        elsewhere = [np.empty(0, np.int64)]
        for chunk in self._run.chunks("rows", "sensor", "seq", "partition", "offset"):
            key = self.key[chunk.rows] = readings.keys(chunk["sensor"], chunk["seq"])
            places = place(chunk["partition"], chunk["offset"])
            record = self.record[chunk.rows] = log.at(places)
            first(self.first, key, chunk.start)
            self.of_record[record[record >= 0]] = True
            elsewhere.append(distinct(places[(record < 0) & (places >= 0)]))
        self.elsewhere = distinct(np.concatenate(elsewhere))

    def __len__(self) -> int:
        return self.count

    def places_before(self, wanted: Ints) -> Ints:
        """How many places before each of some have a row in the store."""
        records = self._log.before(wanted)
        order = np.argsort(records, kind="stable")
        inorder, found, total = records[order], np.searchsorted(self.elsewhere, wanted), 0
        for part in chunks(len(self._log)):
            count = np.cumsum(np.append(total, self.of_record[part]))
            low, high = np.searchsorted(inorder, [part.start, part.stop + (part.stop == len(self._log))])
            found[order[low:high]] += count[inorder[low:high] - part.start]
            total = count[-1]
        return found

    def places(self) -> Iterator[tuple[slice, Ints, Ints]]:
        """By the chunk: the rows, their keys, and the places that they were stored from."""
        for chunk in self._run.chunks("rows", "partition", "offset"):
            yield chunk.rows, self.key[chunk.rows], place(chunk["partition"], chunk["offset"])

    def take(self, rows: Ints) -> pd.DataFrame:
        """Some rows: sensor, seq, partition, offset."""
        return self._run.take("rows", rows, "sensor", "seq", "partition", "offset")


def first(found: Ints, key: Ints, start: int) -> None:
    """Note for each key that has none yet the first of these rows, which begin with number `start`."""
    row = np.flatnonzero(key >= 0)[::-1]
    row = row[found[key[row]] < 0]
    found[key[row]] = row + start


def nobody(size: int) -> Mask:
    """No reading at all, without an entry for each."""
    return np.broadcast_to(np.False_, size)
