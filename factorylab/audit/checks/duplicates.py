"""What is there more than once, out of order, or not what was sent."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
import pandas as pd

from factorylab.analysis.places import distinct
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.loss import gone
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.scratch import array, chunks, where
from factorylab.history.saved_run import each
from factorylab.history.tables import SINCE

FIRST_WITH_VALUES = SINCE["log.value"]
FIRST_WITH_MEASURES = SINCE["log.measures_hash"]
NO_VALUES = "this run was recorded without the log's values, so the store's were not compared"
NO_PLACES = "a program under test tells no places, so acknowledgements and scan alone were compared"
NO_OUTPUT_VALUES = "the output of a program under test is read by its identities, so its values were not compared"
NO_MEASURES = "this run was recorded without further measures and times, so the main measure alone was compared"


def again(key: Ints, first: Ints) -> Ints:
    """The rows (records) whose reading has one before; `first` is that, by key."""
    found = []
    for part in chunks(len(key)):
        mine = np.flatnonzero(key[part] >= 0)
        found.append(mine[first[key[part][mine]] != mine + part.start] + part.start)
    return np.concatenate([np.empty(0, np.int64), *found])


@check("Each reading has one offset in the log.", "records repeat a reading")
def duplicate_in_log(e: Evidence) -> Found:
    more = again(e.log.key, e.log_row)
    return Found(len(more), len(e.log), "", e.witnesses(distinct(e.log.key[more]), "more than one offset"))


@check("Each reading has one row in the store.", "rows repeat a reading")
def duplicate_in_store(e: Evidence) -> Found:
    more = again(e.rows.key, e.rows.first)
    return Found(len(more), len(e.rows), "", e.witnesses(distinct(e.rows.key[more]), "more than one row"))


def out_of_order(e: Evidence) -> Ints:
    """Keys of readings that lie before their predecessor: in key order, that is by sensor and seq, the place in the log
    must rise. First copies only; partitions are not compared."""
    found, starts = [np.empty(0, np.int64)], e.reached[0]
    before = np.full(3, -1)  # sensor, partition and record of the reading before
    for part in chunks(e.size):
        record = e.log_row[part]
        key = np.flatnonzero(record >= 0)
        record = record[key].astype(np.int64)
        sensor, _ = e.named(key + part.start)
        now = np.column_stack([before, np.stack([sensor, np.searchsorted(starts, record, side="right"), record])])
        same = (now[:2, 1:] == now[:2, :-1]).all(axis=0)
        found.append(key[same & (now[2, 1:] < now[2, :-1])] + part.start)
        before = now[:, -1]
    return np.concatenate(found)


@check("Per sensor, seq rises with the offset (first copies only).", "readings lie before their predecessor")
def reordered_in_log(e: Evidence) -> Found:
    fell = e.once(out_of_order)
    return Found(len(fell), e.count(lambda k: k.in_log), "", e.witnesses(fell, "written before its predecessor"))


@check("Each place in the log holds one value, for acknowledgements, consumers, store and scan.", "places disagree")
def inconsistent_offset(e: Evidence) -> Found:
    """Places acknowledged for one reading that hold another, or nothing, and stored rows, dead letters or polls that
    saw other values there. What is gone with an acknowledged reading is a loss, and counted as such."""
    lost, dead = _lost_places(e), e.run.dead_letters
    letters = place(dead["partition"].to_numpy(), dead["offset"].to_numpy())
    told = {"acknowledged": e.acknowledged(), "stored": ((rows.start, *of) for rows, *of in e.rows.places())}
    counts, witnesses = {}, []
    for word, places in told.items():
        count, keys = _other(e, places, lost)
        counts[word] = count
        witnesses += e.witnesses(keys, f"its {word} place holds another value, or nothing")
    counts["dead-lettered"] = len(_empty(e, letters, e.log.at(letters), lost))
    counts["polled"] = int(_polls_that_differ(e).sum())
    detail = ", ".join(f"{n:,} {word}" for word, n in counts.items())
    detail += f"; {NO_PLACES}" if e.run.scenario.subject else ""
    return Found(sum(counts.values()), len(e.log), detail, witnesses)


def _other(e: Evidence, told: Iterable[tuple[int, Ints, Ints]], lost: Ints) -> tuple[int, Ints]:
    """How many places that are told of a reading hold another one or nothing, and the first few of these readings."""
    count, keys = 0, np.empty(0, np.int64)
    for _, key, places in told:
        record = e.log.at(places)
        other = _empty(e, places, record, lost)
        if len(e.log):
            held = np.where(record >= 0, e.log.key[record], -1)
            elsewhere = np.flatnonzero((record >= 0) & (held != key) & ((held >= 0) | (key >= 0)))
            other = distinct(np.append(other, elsewhere))
            mine = key[other]
            keys = np.append(keys, mine[mine >= 0])[:WITNESSES]
        count += len(other)
    return count, keys


def _lost_places(e: Evidence) -> Ints:
    """Ascending places that were acknowledged for, or stored from, acknowledged readings that the log does not hold."""
    found = [np.empty(0, np.int64)]
    if e.count(gone):
        for _, key, places in chain(e.acknowledged(), e.rows.places()):
            row = np.flatnonzero(key >= 0)
            found.append(places[row[gone(e.of(key[row]))]])
    return distinct(np.concatenate(found))


def _empty(e: Evidence, places: Ints, record: Ints, lost: Ints) -> Ints:
    """Positions of places of which the log holds nothing (`record` −1), though not below its start, nor lost."""
    at = np.flatnonzero((places >= 0) & (record < 0))
    if len(lost):
        at = at[lost[np.minimum(np.searchsorted(lost, places[at]), len(lost) - 1)] != places[at]]
    return at[~e.below_start(places[at])]


def polls(e: Evidence) -> pd.DataFrame:
    """`reads` with what the log holds there."""
    return with_log(e, e.run.reads)


def with_log(e: Evidence, spans: pd.DataFrame) -> pd.DataFrame:
    """Spans of offsets with what the log holds in them, `first_offset` to `last_offset`: from the row `low` on `in_log`
    records, and `log_hash_sum`."""
    partition = spans["partition"].to_numpy()
    low = e.log.before(place(partition, spans["first_offset"].to_numpy()))
    high = e.log.before(place(partition, spans["last_offset"].to_numpy()) + 1)
    before, after = np.split(e.log.sums_before(np.concatenate([low, high])), 2)
    return spans.assign(low=low, in_log=high - low, log_hash_sum=after - before)


def _polls_that_differ(e: Evidence) -> pd.Series[bool]:
    """Polls of as many records as the log holds there, but of other ones, or of the same ones, but not as many. Others,
    and fewer or more of them than it holds, are a skip or a loss, and counted as such."""
    seen = e.once(polls)
    frozen = e.run.frozen.set_index("partition")
    inside = (seen["last_offset"] < seen["partition"].map(frozen["end"]).fillna(0)) & (
        seen["first_offset"] >= seen["partition"].map(frozen["start"]).fillna(0)
    )
    return inside & ((seen["count"] == seen["in_log"]) != (seen["hash_sum"] == seen["log_hash_sum"]))


@check("No record is both stored and a dead letter.", "records are both")
def dead_and_stored(e: Evidence) -> Found:
    """By place: a dead letter that was sent once more is another record."""
    letters = e.run.dead_letters
    dead = np.unique(place(letters["partition"].to_numpy(), letters["offset"].to_numpy()))
    record = e.log.at(dead)
    stored = np.isin(dead, e.rows.elsewhere)
    stored[record >= 0] = e.rows.of_record[record[record >= 0]]
    both = record[stored]
    return Found(len(both), len(dead), "", e.log_witnesses(both[both >= 0], "stored, and a dead letter"))


@check("Every payload in the log, and every value in the store, is what was sent.", "differ from what was sent")
def corrupt(e: Evidence) -> Found:
    known, wrong = _other_payloads(e)
    dead = e.run.dead_letters
    record = e.log.at(place(dead["partition"].to_numpy(), dead["offset"].to_numpy()))
    kept = dead["payload_hash"].to_numpy() != e.log.payload_hash[record] if len(e.log) else record < 0
    altered = (record >= 0) & kept
    compared, rows = _values(e)
    counted = {"dead letters": int(altered.sum()), "rows of the store": len(rows)}
    words = [f"{n:,} of them {what}" for what, n in counted.items() if n]
    words += [NO_OUTPUT_VALUES] if e.run.scenario.subject else _not_compared(e.run.manifest.schema_version)
    witnesses = e.log_witnesses(wrong, "another payload than was sent")
    witnesses += e.witnesses(e.rows.key[rows[:WITNESSES]], "stored with other values, or another time")
    witnesses += [Witness(partition=d.partition, offset=d.offset, note="altered dead letter")
                  for d in each(dead[altered].head(WITNESSES))]  # fmt: skip
    count = len(wrong) + sum(counted.values())
    return Found(count, known + int((record >= 0).sum()) + compared, ", ".join(words), witnesses)


def _other_payloads(e: Evidence) -> tuple[int, Ints]:
    """How many records are of readings that were sent (what was not is a phantom), and those with another payload."""
    known, wrong = 0, [np.empty(0, np.int64)]
    for part in chunks(len(e.log)):
        key = e.log.key[part]
        row = np.flatnonzero(key >= 0)
        row = row[e.of(key[row]).offered]
        known += len(row)
        wrong.append(row[e.sent("payload_hash")[key[row]] != e.log.payload_hash[part][row]] + part.start)
    e.forget("payload_hash")
    return known, np.concatenate(wrong)


def _not_compared(version: int) -> list[str]:
    return [NO_VALUES] if version < FIRST_WITH_VALUES else [NO_MEASURES] if version < FIRST_WITH_MEASURES else []


def _values(e: Evidence) -> tuple[int, Ints]:
    """How many rows can be compared with the record that they were stored from, and those that say something else of
    it. NaN is no value: a row that has it differs from every record."""
    if e.run.manifest.schema_version < FIRST_WITH_VALUES or not len(e.log):
        return 0, np.zeros(0, int)
    count, differ = 0, array(len(e.rows), "bool")
    for name in ("value", "measures_hash"):
        count, held = 0, e.log.of(name)
        for chunk in e.run.chunks("rows", name):
            key, record = e.rows.key[chunk.rows], e.rows.record[chunk.rows]
            row = np.flatnonzero((record >= 0) & (key >= 0))
            row = row[e.log.key[record[row]] == key[row]]
            count += len(row)
            differ[row + chunk.start] |= chunk[name][row] != held[record[row]]
    return count, where(differ, lambda differs: differs)
