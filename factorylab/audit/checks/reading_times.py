"""The times of readings: due, sent, answered, read, stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints
from factorylab.audit.checks.duplicates import polls
from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import NS

ROUNDING_NS = 2  # due times are rounded to whole nanoseconds
BEGUN_S = 1.0  # from the moment that a fleet's plan counts from to its note about it; tens of microseconds when it runs


@check(
    "Each reading was due before it was sent, and sent before it was answered and read.", "times cannot be", "INVALID",
    of_times=True,
)  # fmt: skip
def reading_times(e: Evidence) -> Found:
    times = e.run.frame("sends", "worker", "t_ns", "t_intended_ns", "t_ack_ns")
    due, sent, answered = (times[name].to_numpy() for name in ("t_intended_ns", "t_ns", "t_ack_ns"))
    cases = [
        Impossible(int((sent < due).sum()), "readings were sent before they were due", ("sends",)),
        Impossible(int(((answered >= 0) & (answered < sent)).sum()), "were answered before they were sent", ("sends",)),
        Impossible(_out_of_turn(e, due, 1), "were not due after the sensor's reading before", ("sends",)),
        Impossible(_out_of_turn(e, sent, 0), "were sent before the sensor's reading before", ("sends",)),
        Impossible(_read_too_early(e, sent), "polls brought readings that were not sent yet", ("sends", "reads")),
        Impossible(_heard_late(e), "acknowledgements were heard after the commit more often than not", ("sends",)),
        *_off_plan(e, times["worker"], due),
    ]
    return found(cases, len(times))


def _out_of_turn(e: Evidence, moments: Ints, least_ns: int) -> int:
    """Readings whose moment is not at least so long after the one before, of the same sensor."""
    row = e.send_row[e.send_row >= 0]  # by key: sensor by sensor, seq by seq
    sensor, moments = e.sends["sensor"].to_numpy()[row], moments[row]
    return int(((np.diff(moments) < least_ns) & (np.diff(sensor) == 0)).sum())


def _read_too_early(e: Evidence, sent: Ints) -> int:
    """Polls of what the log holds, before the last of it was sent. Where it holds other records by now, they were sent
    again after the log was cut off."""
    seen = e.once(polls)
    row = np.where(e.log_key >= 0, e.send_row[e.log_key], -1) if e.size else e.log_key
    known = np.where(row >= 0, sent[row], -1) if len(sent) else row
    same = (seen["hash_sum"] == seen["log_hash_sum"]).to_numpy() & (seen["in_log"] == seen["count"]).to_numpy()
    latest = latest_in(known, seen["low"].to_numpy(), (seen["low"] + seen["in_log"]).to_numpy())
    return int((same & (latest > seen["t_ns"].to_numpy())).sum())


def _heard_late(e: Evidence) -> int:
    """A consumer gets a record when its leader acknowledges it, and has yet to store it: one acknowledgement may be the
    later of the two, most of them are not. 1 or 0."""
    return sum(part.part == "pipeline" and part.p50_s is not None and part.p50_s < 0 for part in e.latency_parts)


def latest_in(moments: Ints, low: Ints, high: Ints) -> Ints:
    """The greatest of moments[low:high] of each range, −1 of an empty one."""
    padded = np.append(moments, -1)
    greatest = np.maximum.reduceat(padded, np.stack([low, np.maximum(low, high)], 1).ravel())[::2]
    return np.where(high > low, greatest, -1)


def _off_plan(e: Evidence, worker: pd.Series[str], due: Ints) -> Iterator[Impossible]:
    """A fleet decides beforehand when each reading is due: at equal distances within a stage. A recorded source leaves
    some out."""
    lives = e.run.workers["worker"].value_counts()
    for fleet, stages in e.run.stages.groupby("worker", observed=True):
        moments = np.sort(due[(worker == fleet).to_numpy()], kind="stable")
        if not len(moments):
            continue
        gaps, seams = np.diff(moments), len(stages) - 1 + int(lives.get(fleet, 1)) - 1
        odd = np.ones(len(gaps), bool)
        for apart_ns in {NS / rate for rate in stages["rate_per_s"] if rate > 0}:
            many = np.maximum(np.rint(gaps / apart_ns), 1)
            odd &= np.abs(gaps - many * apart_ns) > ROUNDING_NS
        early_s = (int(stages["t_ns"].min()) - int(moments[0])) / NS
        yield Impossible(max(int(odd.sum()) - seams, 0), f"due times of {fleet} do not follow its plan", ("sends",))
        begun = 0 <= early_s <= BEGUN_S
        yield Impossible(int(not begun), f"plan of {fleet} began {early_s:.2f} s before its note", ("sends", "stages"))
