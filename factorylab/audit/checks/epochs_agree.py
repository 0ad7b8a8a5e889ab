"""Whether the leader epochs that the final read found lie in the log as it found it, and were led when they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.completeness import found_words
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.history.saved_run import each
from factorylab.history.tables import SINCE

FIRST_WITH_EPOCHS = SINCE["epochs"]


@check("The leader epochs cover the log, each in the time in which the probe saw it.", "spans do not", "INVALID")
def epochs_agree(e: Evidence) -> Found:
    if e.run.manifest.schema_version < FIRST_WITH_EPOCHS:
        return Found(0, 0, not_asked="this run was recorded without them")
    words = [*_cover(e), *_out_of_time(e)]
    return found_words(words, len(e.run.epochs))


def _cover(e: Evidence) -> Iterator[str]:
    """Spans hold as many records as they say, begin and end with one, follow each other, and leave none out."""
    spans = e.run.epochs.sort_values(["partition", "epoch"], kind="stable")
    partition = spans["partition"].to_numpy()
    first, last = (place(partition, spans[name].to_numpy()) for name in ("first_offset", "last_offset"))
    count = e.log.before(last + 1) - e.log.before(first)
    wrong = (count != spans["count"].to_numpy()) | (e.log.at(first) < 0) | (e.log.at(last) < 0)
    wrong[1:] |= (first[1:] <= last[:-1]) & (partition[1:] == partition[:-1])
    for s in each(spans[wrong]):
        yield f"partition {s.partition}, epoch {s.epoch}: the log has not {s.count:,} records of it there"
    if (covered := int(spans["count"].sum())) != len(e.log):
        yield f"{covered:,} records are of an epoch, the log has {len(e.log):,}"


def _out_of_time(e: Evidence) -> Iterator[str]:
    """Records that were sent after a later epoch was seen, or acknowledged before the probe asked and heard of an
    earlier one: the epochs of a partition only rise."""
    seen = e.run.partitions[e.run.partitions["valid"]].sort_values("t_ns", kind="stable")
    spans = e.run.epochs[e.run.epochs["epoch"] >= 0]
    partition = spans["partition"].to_numpy()
    low = e.log.before(place(partition, spans["first_offset"].to_numpy()))
    high = e.log.before(place(partition, spans["last_offset"].to_numpy() + 1))
    latest = e.log.latest(lambda part: e.of_log("t_ns", part), low, high)
    earliest = e.log.latest(lambda part: _unanswered(e.of_log("t_ack_ns", part)), low, high)
    for s, sent, answered in zip(each(spans), latest.tolist(), (-earliest).tolist(), strict=True):
        mine = seen[seen["partition"] == s.partition]
        newer = mine[(mine["epoch"] > s.epoch) & (mine["t_ns"] < sent)]
        older = mine[(mine["epoch"] < s.epoch) & (mine["asked_ns"] > answered)]
        if len(newer) or len(older):
            yield f"partition {s.partition}: records of epoch {s.epoch} are from a time of another epoch"


def _unanswered(acked: Ints) -> Ints:
    """Times of answers, the earliest greatest."""
    return -np.where(acked >= 0, acked, np.iinfo(np.int64).max)
