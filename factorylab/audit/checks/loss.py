"""What was lost, and where: the log, the pipeline behind it, or not yet at the store.

A: acknowledged. I: unknown. F: failed, shed or not offered. L: in the log. S: stored. D: dead-lettered.
"""

from __future__ import annotations

import numpy as np

from factorylab.analysis.readings import BEYOND, FAIL, NEVER, NOT_OFFERED, SHED, UNKNOWN, Ints, Mask, Some
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.scratch import where


def gone(k: Some) -> Mask:
    """A \\ L."""
    return k.acked & ~k.in_log


def passed_over(k: Some) -> Mask:
    """L below the position, and neither S nor D."""
    return k.in_log & k.behind & ~k.stored & ~k.dead_lettered


@check("Every acknowledged reading is in the log.", "acknowledged readings are not in the log")
def lost_in_log(e: Evidence) -> Found:
    lost = e.select(lambda k: gone(k) & ~k.expired)
    return Found(len(lost), e.count(lambda k: k.acked), "", e.witnesses(lost, "acknowledged, not in the log"))


@check("Nothing acknowledged left the log by retention before it was stored.", "acknowledged readings expired unstored")
def expired(e: Evidence) -> Found:
    lost = e.select(lambda k: k.expired & ~k.stored & ~k.dead_lettered)
    all_gone = e.count(lambda k: k.expired)
    detail = f"{all_gone - len(lost):,} more expired after they were stored" if all_gone else ""
    return Found(len(lost), e.count(lambda k: k.acked), detail, e.witnesses(lost, "below the log's start"))


@check(
    "Every acknowledged record below the store's position is stored or dead-lettered.",
    "acknowledged records below the position are in neither",
)
def lost_in_pipeline(e: Evidence) -> Found:
    lost = e.select(lambda k: passed_over(k) & k.acked)
    others = e.count(lambda k: passed_over(k) & (k.outcome == UNKNOWN))
    detail = f"and {others:,} that were never acknowledged" if others else ""
    due = e.count(lambda k: k.acked & k.in_log & k.behind)
    return Found(len(lost), due, detail, e.witnesses(lost, "passed over"))


@check("The store reached the log's end before the deadline.", "acknowledged records lie ahead of it", "NOT_DRAINED")
def not_drained(e: Evidence) -> Found:
    waiting = e.select(lambda k: k.acked & k.in_log & ~k.behind & ~k.stored & ~k.dead_lettered)
    return Found(len(waiting), e.count(lambda k: k.acked & k.in_log), "", e.witnesses(waiting, "not read yet"))


def beyond_journal(e: Evidence) -> Ints:
    """Records of our sensors with a seq above all that their journal holds.

    An intent is journaled before its send, so such a record says that the journal was cut, not that Kafka
    made the record up.
    """
    return where(e.log.key, lambda key: key == BEYOND)


@check("Log and store hold nothing that was never sent.", "records and rows were never sent")
def phantom(e: Evidence) -> Found:
    def unsent(key: Ints) -> Mask:
        known = np.isin(e.outcome[key], (NEVER, FAIL, SHED, NOT_OFFERED)) if e.size else np.zeros(len(key), bool)
        return np.where(key >= 0, known, key != BEYOND)

    in_log, in_store = where(e.log.key, unsent), where(e.rows.key, unsent)
    total = len(e.log) + len(e.rows)
    detail = f"{len(in_log):,} in the log, {len(in_store):,} in the store"
    return Found(len(in_log) + len(in_store), total, detail, e.log_witnesses(in_log, "never sent"))
