"""What was lost, and where: the log, the pipeline behind it, or not yet at the store.

A: acknowledged. I: unknown. F: failed, shed or not offered. L: in the log. S: stored. D: dead-lettered.
"""

from __future__ import annotations

import numpy as np

from factorylab.analysis.readings import FAIL, NEVER, NOT_OFFERED, SHED, UNKNOWN, Ints, Mask
from factorylab.audit.model.registry import Evidence, Found, check


def expired_keys(e: Evidence) -> Mask:
    """A \\ L whose acknowledged offset lies below the log's start now: retention took it. Where the acknowledgement
    told no offset, which is legal, the place that its row was stored from says so."""
    told = np.zeros(e.size, dtype=bool)
    told[e.send_key[e.sends["offset"].to_numpy() >= 0]] = True
    found = np.zeros(e.size, dtype=bool)
    found[e.send_key[e.below_start(e.sends)]] = True
    row = np.flatnonzero(e.below_start(e.rows) & (e.row_key >= 0))
    row = row[~told[e.row_key[row]]]
    found[e.row_key[row]] = True
    return found & e.acked & ~e.in_log


@check("Every acknowledged reading is in the log.", "acknowledged readings are not in the log")
def lost_in_log(e: Evidence) -> Found:
    lost = e.acked & ~e.in_log & ~expired_keys(e)
    return Found(int(lost.sum()), int(e.acked.sum()), "", e.witnesses(lost, "acknowledged, not in the log"))


@check("Nothing acknowledged left the log by retention before it was stored.", "acknowledged readings expired unstored")
def expired(e: Evidence) -> Found:
    gone = expired_keys(e)
    lost = gone & ~e.stored & ~e.dead_lettered
    detail = f"{int((gone & ~lost).sum()):,} more expired after they were stored" if gone.any() else ""
    return Found(int(lost.sum()), int(e.acked.sum()), detail, e.witnesses(lost, "below the log's start"))


@check(
    "Every acknowledged record below the store's position is stored or dead-lettered.",
    "acknowledged records below the position are in neither",
)
def lost_in_pipeline(e: Evidence) -> Found:
    due = e.acked & e.in_log & e.behind
    passed_over = e.in_log & e.behind & ~e.stored & ~e.dead_lettered
    lost, others = passed_over & e.acked, int((passed_over & (e.outcome == UNKNOWN)).sum())
    detail = f"and {others:,} that were never acknowledged" if others else ""
    return Found(int(lost.sum()), int(due.sum()), detail, e.witnesses(lost, "passed over"))


@check("The store reached the log's end before the deadline.", "acknowledged records lie ahead of it", "NOT_DRAINED")
def not_drained(e: Evidence) -> Found:
    due = e.acked & e.in_log
    waiting = due & ~e.behind & ~e.stored & ~e.dead_lettered
    return Found(int(waiting.sum()), int(due.sum()), "", e.witnesses(waiting, "not read yet"))


def beyond_journal(e: Evidence, sensor: Ints, seq: Ints, key: Ints) -> Mask:
    """Records of our sensors with a seq above all that their journal holds.

    An intent is journaled before its send, so such a record says that the journal was cut, not that Kafka
    made the record up.
    """
    ours = (sensor >= 0) & (sensor < len(e.last_seq))
    last = e.last_seq[np.where(ours, sensor, 0)] if len(e.last_seq) else np.zeros(len(sensor), int)
    return (key < 0) & ours & (seq > last)


@check("Log and store hold nothing that was never sent.", "records and rows were never sent")
def phantom(e: Evidence) -> Found:
    impossible = np.isin(e.outcome, (NEVER, FAIL, SHED, NOT_OFFERED))
    found = []
    for frame, key in ((e.log, e.log_key), (e.rows, e.row_key)):
        cut = beyond_journal(e, frame["sensor"].to_numpy(), frame["seq"].to_numpy(), key)
        found.append(((key < 0) & ~cut) | ((key >= 0) & impossible[key] if e.size else np.zeros(len(key), bool)))
    in_log, in_store = found
    count, total = int(in_log.sum() + in_store.sum()), len(e.log) + len(e.rows)
    detail = f"{int(in_log.sum()):,} in the log, {int(in_store.sum()):,} in the store"
    return Found(count, total, detail, e.log_witnesses(np.flatnonzero(in_log), "never sent"))
