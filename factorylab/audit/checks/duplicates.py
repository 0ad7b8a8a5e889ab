"""What is there more than once, out of order, or not what was sent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints, Mask, place
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.history.saved_run import each
from factorylab.history.tables import SINCE

FIRST_WITH_VALUES = SINCE["log.value"]
FIRST_WITH_MEASURES = SINCE["log.measures_hash"]
NO_VALUES = "this run was recorded without the log's values, so the store's were not compared"
NO_MEASURES = "this run was recorded without further measures and times, so the main measure alone was compared"


def surplus(key: Ints, size: int) -> Ints:
    """By key: how many more than one."""
    return np.maximum(np.bincount(key[key >= 0], minlength=size) - 1, 0)


@check("Each reading has one offset in the log.", "records repeat a reading")
def duplicate_in_log(e: Evidence) -> Found:
    more = surplus(e.log_key, e.size)
    return Found(int(more.sum()), len(e.log), "", e.witnesses(more > 0, "more than one offset"))


@check("Each reading has one row in the store.", "rows repeat a reading")
def duplicate_in_store(e: Evidence) -> Found:
    more = surplus(e.row_key, e.size)
    return Found(int(more.sum()), len(e.rows), "", e.witnesses(more > 0, "more than one row"))


def out_of_order(e: Evidence) -> Ints:
    """Keys of readings that lie before their predecessor: in key order, that is by sensor and seq, the place in the log
    must rise. First copies only; partitions are not compared."""
    key = np.flatnonzero(e.in_log)
    row = e.log_row[key]
    sensor, _ = e.named(key)
    partition = e.log["partition"].to_numpy()[row]
    same = (sensor[1:] == sensor[:-1]) & (partition[1:] == partition[:-1])
    return key[np.flatnonzero(same & (row[1:] < row[:-1])) + 1]


@check("Per sensor, seq rises with the offset (first copies only).", "readings lie before their predecessor")
def reordered_in_log(e: Evidence) -> Found:
    fell = out_of_order(e)
    return Found(len(fell), int(e.in_log.sum()), "", e.witnesses(fell, "written before its predecessor"))


@check("Each place in the log holds one value, for acknowledgements, consumers, store and scan.", "places disagree")
def inconsistent_offset(e: Evidence) -> Found:
    """Places acknowledged for one reading that hold another, or nothing, and stored rows, dead letters or polls that
    saw other values there. What is gone with an acknowledged reading is a loss, and counted as such."""
    dead = e.run.dead_letters
    parts = {"acknowledged": (e.sends, e.send_key), "stored": (e.rows, e.row_key), "dead-lettered": (dead, None)}
    lost = _lost_places(e)
    counts, witnesses = {}, []
    for word, (frame, key) in parts.items():
        where = place(frame["partition"].to_numpy(), frame["offset"].to_numpy())
        there = e.at(where)
        other = _empty(e, frame, where, there, lost)
        if key is not None and len(e.log):
            other = np.union1d(other, np.flatnonzero((there >= 0) & (e.log_key[there] != key)))
            note = f"its {word} place holds another value, or nothing"
            witnesses += e.witnesses(key[other][key[other] >= 0][:WITNESSES], note)
        counts[word] = len(other)
    counts["polled"] = int(_polls_that_differ(e).sum())
    detail = ", ".join(f"{n:,} {word}" for word, n in counts.items())
    return Found(sum(counts.values()), len(e.log), detail, witnesses)


def _lost_places(e: Evidence) -> Ints:
    """Ascending places that were acknowledged for, or stored from, acknowledged readings that the log does not hold."""
    gone, found = e.acked & ~e.in_log, []
    for frame, key in ((e.sends, e.send_key), (e.rows, e.row_key)):
        row = np.flatnonzero(key >= 0)
        row = row[gone[key[row]]]
        found.append(place(frame["partition"].to_numpy()[row], frame["offset"].to_numpy()[row]))
    return np.unique(np.concatenate(found))


def _empty(e: Evidence, frame: pd.DataFrame, where: Ints, there: Ints, lost: Ints) -> Ints:
    """Rows of a frame of whose place (`where`) the log holds nothing, though it is not below its start, nor lost."""
    row = np.flatnonzero((where >= 0) & (there < 0))
    row = row[~np.isin(where[row], lost)]
    return row[~e.below_start(frame.iloc[row])]


def polls(e: Evidence) -> pd.DataFrame:
    """`reads` with what the log holds there."""
    return with_log(e, e.run.reads)


def with_log(e: Evidence, spans: pd.DataFrame) -> pd.DataFrame:
    """Spans of offsets with what the log holds in them, `first_offset` to `last_offset`: from the row `low` on `in_log`
    records, and `log_hash_sum`."""
    partition = spans["partition"].to_numpy()
    low = np.searchsorted(e.log_place, place(partition, spans["first_offset"].to_numpy()), side="left")
    high = np.searchsorted(e.log_place, place(partition, spans["last_offset"].to_numpy()), side="right")
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(e.log["payload_hash"].to_numpy(), dtype=np.uint64)])
    return spans.assign(low=low, in_log=high - low, log_hash_sum=total[high] - total[low])


def _polls_that_differ(e: Evidence) -> pd.Series[bool]:
    """Polls of as many records as the log holds there, but of other ones. Fewer or more than it holds is a skip, or
    a loss, and counted as such."""
    seen = e.once(polls)
    frozen = e.run.frozen.set_index("partition")
    inside = (seen["last_offset"] < seen["partition"].map(frozen["end"]).fillna(0)) & (
        seen["first_offset"] >= seen["partition"].map(frozen["start"]).fillna(0)
    )
    return inside & (seen["count"] == seen["in_log"]) & (seen["hash_sum"] != seen["log_hash_sum"])


@check("No record is both stored and a dead letter.", "records are both")
def dead_and_stored(e: Evidence) -> Found:
    """By place: a dead letter that was sent once more is another record."""
    letters = e.run.dead_letters
    dead = np.unique(place(letters["partition"].to_numpy(), letters["offset"].to_numpy()))
    both = e.at(np.intersect1d(dead, e.row_places(), assume_unique=True))
    return Found(len(both), len(dead), "", e.log_witnesses(both[both >= 0], "stored, and a dead letter"))


@check("Every payload in the log, and every value in the store, is what was sent.", "differ from what was sent")
def corrupt(e: Evidence) -> Found:
    known = np.flatnonzero(e.log_key >= 0)
    known = known[e.offered[e.log_key[known]]]  # what was never sent is a phantom
    sent = e.sends["payload_hash"].to_numpy()[e.send_row[e.log_key[known]]]
    wrong = known[sent != e.log["payload_hash"].to_numpy()[known]]
    dead = e.run.dead_letters
    where = e.at(place(dead["partition"].to_numpy(), dead["offset"].to_numpy()))
    kept = dead["payload_hash"].to_numpy() != e.log["payload_hash"].to_numpy()[where] if len(e.log) else where < 0
    altered = (where >= 0) & kept
    compared, rows = _values(e)
    counted = {"dead letters": int(altered.sum()), "rows of the store": len(rows)}
    words = [f"{n:,} of them {what}" for what, n in counted.items() if n]
    words += _not_compared(e.run.manifest.schema_version)
    witnesses = e.log_witnesses(wrong, "another payload than was sent")
    witnesses += e.witnesses(e.row_key[rows][:WITNESSES], "stored with other values, or another time")
    witnesses += [Witness(partition=d.partition, offset=d.offset, note="altered dead letter")
                  for d in each(dead[altered].head(WITNESSES))]  # fmt: skip
    count = len(wrong) + sum(counted.values())
    return Found(count, len(known) + int((where >= 0).sum()) + compared, ", ".join(words), witnesses)


def _not_compared(version: int) -> list[str]:
    return [NO_VALUES] if version < FIRST_WITH_VALUES else [NO_MEASURES] if version < FIRST_WITH_MEASURES else []


def _values(e: Evidence) -> tuple[int, Ints]:
    """How many rows can be compared with the record that they were stored from, and those that say something else of
    it. NaN is no value: a row that has it differs from every record."""
    if e.run.manifest.schema_version < FIRST_WITH_VALUES or not len(e.log):
        return 0, np.zeros(0, int)
    at = e.at(place(e.rows["partition"].to_numpy(), e.rows["offset"].to_numpy()))
    row = np.flatnonzero((at >= 0) & (e.row_key >= 0) & (e.log_key[at] == e.row_key))
    differ: Mask = np.zeros(len(row), dtype=bool)
    for name in ("value", "measures_hash"):
        differ |= e.run.frame("rows", name)[name].to_numpy()[row] != e.of_log(name)[at[row]]
    return len(row), row[differ]
