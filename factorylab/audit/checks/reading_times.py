"""The times of readings: due, sent, answered, read, stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.places import partition_of
from factorylab.analysis.readings import Ints
from factorylab.audit.checks.duplicates import out_of_order, polls
from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import NS
from factorylab.core.scratch import Numbers, chunks, with_before

ROUNDING_NS = 2  # due times are rounded to whole nanoseconds
STAGE_OFF_S = 0.5  # 0.04 s in a fleet that was starved of its processor
BEGUN_S = 0.5  # from the moment that a fleet's plan counts from to its note about it; tens of microseconds when it runs


@check(
    "Each reading was due before it was sent, and sent before it was answered and read.", "times cannot be", "INVALID",
    of_times=True,
)  # fmt: skip
def reading_times(e: Evidence) -> Found:
    early = early_answers = 0
    for chunk in e.run.chunks("sends", "t_ns", "t_intended_ns", "t_ack_ns"):
        sent, answered = chunk["t_ns"], chunk["t_ack_ns"]
        early += int((sent < chunk["t_intended_ns"]).sum())
        early_answers += int(((answered >= 0) & (answered < sent)).sum())
    cases = [
        Impossible(early, "readings were sent before they were due", ("sends",)),
        Impossible(early_answers, "were answered before they were sent", ("sends",)),
        Impossible(_out_of_turn(e, "t_intended_ns", 1), "were not due after the sensor's reading before", ("sends",)),
        Impossible(_out_of_turn(e, "t_ns", 0), "were sent before the sensor's reading before", ("sends",)),
        Impossible(_read_too_early(e), "polls brought readings that were not sent yet", ("sends", "reads")),
        *_against_the_log(e),
        Impossible(_heard_late(e), "acknowledgements were heard after the commit more often than not", ("sends",)),
        *_off_plan(e),
    ]
    return found(cases, e.run.row_count("sends"))


def _out_of_turn(e: Evidence, column: str, least_ns: int) -> int:
    """Readings whose moment is not at least so long after the one before, of the same sensor."""
    count, before = 0, np.array([[-1], [0]])  # sensor and moment of the reading before
    for part in chunks(e.size):  # by key: sensor by sensor, seq by seq
        key = np.flatnonzero(e.of(part).due)
        sensor, _ = e.named(key + part.start)
        sensors, moments = np.column_stack([before, np.stack([sensor, e.sent(column)[part][key]])])
        count += int(((np.diff(moments) < least_ns) & (np.diff(sensors) == 0)).sum())
        before = np.array([sensors[-1:], moments[-1:]])
    return count


def _read_too_early(e: Evidence) -> int:
    """Polls of what the log holds, before the last of it was sent. Where it holds other records by now, they were sent
    again after the log was cut off."""
    seen = e.once(polls)
    same = (seen["hash_sum"] == seen["log_hash_sum"]).to_numpy() & (seen["in_log"] == seen["count"]).to_numpy()
    low, high = seen["low"].to_numpy(), (seen["low"] + seen["in_log"]).to_numpy()
    latest = e.log.latest(lambda part: e.of_log("t_ns", part), low, high)
    return int((same & (latest > seen["t_ns"].to_numpy())).sum())


def _against_the_log(e: Evidence) -> Iterator[Impossible]:
    """An idempotent producer writes the readings of a partition in the order in which it was given them, and hears of
    them in that order: acknowledged records that lie behind one that was sent, or answered, later. Where readings of a
    sensor changed places, or stand twice, the log is to blame, and its checks say so."""
    idempotent = e.run.manifest.producer.get("enable.idempotence") == "true"
    if not idempotent or e.run.scenario.workload.fleets > 1 or len(e.once(out_of_order)):
        return
    if len(e.log) > e.count(lambda k: k.in_log):
        return
    words = {"t_ns": "were sent", "t_ack_ns": "were answered"}
    counts, before = dict.fromkeys(words, 0), dict.fromkeys(("partition", *words), np.full(1, -1))
    for part in chunks(len(e.log)):
        now = {column: e.of_log(column, part) for column in words}
        acked = np.flatnonzero(now["t_ack_ns"] >= 0)
        now["partition"] = partition_of(e.log.place[part])
        now = {name: np.append(before[name], values[acked]) for name, values in now.items()}
        same = np.diff(now["partition"]) == 0
        counts = {column: count + int((same & (np.diff(now[column]) < 0)).sum()) for column, count in counts.items()}
        before = {name: values[-1:] for name, values in now.items()}
    for column, what in words.items():
        yield Impossible(counts[column], f"{what} before a record that lies ahead of them in the log", ("sends", "log"))


def _heard_late(e: Evidence) -> int:
    """A consumer gets a record when its leader acknowledges it, and has yet to store it: one acknowledgement may be the
    later of the two, most of them are not. 1 or 0."""
    return sum(part.part == "pipeline" and part.p50_s is not None and part.p50_s < 0 for part in e.latency_parts)


def _off_plan(e: Evidence) -> Iterator[Impossible]:
    """A fleet decides beforehand when each reading is due: at equal distances within a stage. A recorded source leaves
    some out."""
    lives, due = e.run.workers["worker"].value_counts(), defaultdict[str, Numbers](lambda: Numbers("int64"))
    for chunk in e.run.chunks("sends", "worker", "t_intended_ns"):
        for name in chunk.text("worker").used():
            due[name].add(chunk["t_intended_ns"][chunk.text("worker").are(name)])
    for fleet, stages in e.run.stages.groupby("worker", observed=True):
        moments = due.pop(str(fleet), Numbers("int64")).ascending()
        if not len(moments):
            continue
        rates = stages.loc[stages["rate_per_s"] > 0, "rate_per_s"].tolist()  # a last rate of 0 is the stop
        seams, apart = len(rates) - 1 + int(lives.get(fleet, 1)) - 1, {NS / rate for rate in rates}
        odd = sum(_odd_gaps(np.diff(part), apart) for part in with_before(moments))
        early_s = (int(stages["t_ns"].min()) - int(moments[0])) / NS
        yield Impossible(max(odd - seams, 0), f"due times of {fleet} do not follow its plan", ("sends",))
        if len(stages) > 1 and int(lives.get(fleet, 1)) == 1 and e.run.scenario.workload.source is None:
            unlike = _unlike_stages(stages, moments)
            yield Impossible(unlike, f"stages of {fleet} do not have their due times", ("sends", "stages"))
        begun = 0 <= early_s <= BEGUN_S
        yield Impossible(int(not begun), f"plan of {fleet} began {early_s:.2f} s before its note", ("sends", "stages"))


def _unlike_stages(stages: pd.DataFrame, moments: Ints) -> int:
    """Stages that have many more or fewer due times than their rate and length tell. A fleet notes a stage up to
    STAGE_OFF_S after it began, so due times of the next one may be among them."""
    inorder = stages.sort_values("t_ns", kind="stable")
    edges, rates = inorder["t_ns"].to_numpy(), inorder["rate_per_s"].to_numpy()
    count = np.diff(np.searchsorted(moments, np.append(moments[0], edges[1:])))
    return int((np.abs(count - np.diff(edges) / NS * rates[:-1]) > STAGE_OFF_S * rates.max()).sum())


def _odd_gaps(gaps: Ints, apart: set[float]) -> int:
    """How many gaps (ns) are no multiple of any of the planned distances."""
    odd = np.ones(len(gaps), bool)
    for apart_ns in apart:
        many = np.maximum(np.rint(gaps / apart_ns), 1)
        odd &= np.abs(gaps - many * apart_ns) > ROUNDING_NS
    return int(odd.sum())
