"""Whether the leader epochs that the final read found lie in the log as it found it, and were led when they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from factorylab.analysis.readings import place
from factorylab.audit.checks.completeness import found_words
from factorylab.audit.checks.reading_times import latest_in
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
    count = np.searchsorted(e.log_place, last, side="right") - np.searchsorted(e.log_place, first)
    wrong = (count != spans["count"].to_numpy()) | (e.at(first) < 0) | (e.at(last) < 0)
    wrong[1:] |= (first[1:] <= last[:-1]) & (partition[1:] == partition[:-1])
    for s in each(spans[wrong]):
        yield f"partition {s.partition}, epoch {s.epoch}: the log has not {s.count:,} records of it there"
    if (covered := int(spans["count"].sum())) != len(e.log):
        yield f"{covered:,} records are of an epoch, the log has {len(e.log):,}"


def _out_of_time(e: Evidence) -> Iterator[str]:
    """Records that were sent after a later epoch was seen, or acknowledged before the probe asked and heard of an
    earlier one: the epochs of a partition only rise."""
    times = e.run.frame("sends", "t_ns", "t_ack_ns")
    seen = e.run.partitions[e.run.partitions["valid"]].sort_values("t_ns", kind="stable")
    row = np.where(e.log_key >= 0, e.send_row[e.log_key], -1) if e.size else e.log_key
    far = np.iinfo(np.int64).max
    sent, answered = times["t_ns"].to_numpy(), times["t_ack_ns"].to_numpy()
    offered = np.where(row >= 0, sent[row], -1) if len(sent) else row
    acked = np.where(row >= 0, answered[row], -1) if len(sent) else row
    unanswered = -np.where(acked >= 0, acked, far)
    for s in each(e.run.epochs[e.run.epochs["epoch"] >= 0]):
        span = np.searchsorted(
            e.log_place, place(np.full(2, s.partition), np.array([s.first_offset, s.last_offset + 1]))
        )
        latest, earliest = (int(latest_in(moments, span[:1], span[1:])[0]) for moments in (offered, unanswered))
        mine = seen[seen["partition"] == s.partition]
        newer = mine[(mine["epoch"] > s.epoch) & (mine["t_ns"] < latest)]
        older = mine[(mine["epoch"] < s.epoch) & (mine["asked_ns"] > -earliest)]
        if len(newer) or len(older):
            yield f"partition {s.partition}: records of epoch {s.epoch} are from a time of another epoch"
