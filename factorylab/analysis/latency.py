"""End-to-end latency: from the intended send of a reading to the commit that stored it, and whose share is what.

    intended ── generator ──> sent ── Kafka ──> acknowledged ── pipeline ──> stored

From the intended time, not the actual one, so that a stall cannot hide itself (open loop). Offsets come from the
final read, not from acks, so that the slowest records, unanswered but written, are in it. A record whose commit was
not journaled (its processor was killed just then) has no latency.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.periods import PERIODS, period
from factorylab.analysis.places import offset_of, partition_of
from factorylab.analysis.readings import Ints, Readings
from factorylab.core.clock import NS
from factorylab.core.scratch import Numbers, chunks
from factorylab.history.saved_run import Run

PARTS = ("generator", "kafka", "pipeline")
COLUMNS = ("t_s", "latency_s", *(f"{part}_s" for part in PARTS))
QUANTILES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99, "max_s": 1.0}


class Commits:
    """When the store committed what: the accepted transactions that were journaled."""

    def __init__(self, run: Run) -> None:
        commits = run.frame("commits", "partition", "from_offset", "to_offset", "t_ns", "refused")
        accepted = commits[~commits["refused"]].sort_values("from_offset", kind="stable")
        self._of = {
            int(str(p)): tuple(mine[name].to_numpy() for name in ("from_offset", "to_offset", "t_ns"))
            for p, mine in accepted.groupby("partition")
        }

    def t_ns(self, places: Ints, *, or_next: bool = False) -> Ints:
        """When each place was committed, −1 where no journaled transaction covers it.

        With `or_next` the next journaled transaction of the partition stands in for one that is missing: what the store
        holds was committed before that.
        """
        found, partition, offset = np.full(len(places), -1), partition_of(places), offset_of(places)
        for number, (start, end, t_ns) in self._of.items():
            here = np.flatnonzero(partition == number)
            row = np.searchsorted(start, offset[here], side="right") - 1
            covered = (row >= 0) & (offset[here] < end[row])
            found[here[covered]] = t_ns[row[covered]]
            if or_next:
                later = np.flatnonzero(~covered & (row + 1 < len(start)))
                found[here[later]] = t_ns[row[later] + 1]
        return found


def measured(run: Run, readings: Readings) -> Iterator[dict[str, Ints]]:
    """COLUMNS of `latencies` by the chunk, in the order of the log."""
    return (found for _, _, found in _measured(run, readings))


def _measured(run: Run, readings: Readings) -> Iterator[tuple[Ints, Ints, dict[str, Ints]]]:
    """The same behind the places and the keys of the readings."""
    commits, log = Commits(run), readings.log
    for part in chunks(len(log)):
        key = log.key[part]
        record = np.flatnonzero(key >= 0)
        record = record[readings.log_row[key[record]] == record + part.start]
        record = record[readings.of(key[record]).stored]
        told = run.tells_when_written
        committed = readings.written_ns[key[record]] if told else commits.t_ns(log.place[part][record])
        intended = readings.sent("t_intended_ns")[key[record]]
        kept = (committed >= 0) & (intended >= run.t0_ns)
        committed, intended, key = committed[kept], intended[kept], key[record[kept]]
        sent, acked = readings.sent("t_ns")[key], readings.sent("t_ack_ns")[key]
        untold = (acked < 0) | (readings.acks == "0")
        found = {"t_s": (intended - run.t0_ns) / NS, "latency_s": (committed - intended) / NS}
        found["generator_s"] = (sent - intended) / NS
        for name, times in (("kafka_s", (sent, acked)), ("pipeline_s", (acked, committed))):
            found[name] = np.subtract(*times[::-1]) / NS
            found[name][untold] = np.nan
        yield log.place[part][record[kept]], key, found


def latencies(run: Run, readings: Readings | None = None) -> pd.DataFrame:
    """One row for each stored reading of known commit, from the steady state on.

    Columns, in seconds: t_s (intended, since the steady state), latency_s, and its parts generator_s, kafka_s and
    pipeline_s. The last two are NaN without an acknowledgement; a consumer may be quicker than one, so pipeline_s can
    be a little below zero. And where it belongs: partition, sensor (its number in the table `sensors`), and period,
    "before", "during" or "after" the faults (see `periods`). p99 of partition 1 during the fault, of what was stored:

        latencies(run).query("partition == 1 and period == 'during'")["latency_s"].quantile(0.99)
    """
    readings = readings or Readings(run)
    parts = [_with_origin(run, readings, *found) for found in _measured(run, readings)]
    names = {**dict.fromkeys(COLUMNS, np.float64), "partition": np.int32, "sensor": np.int32, "period": np.int8}
    frame = pd.DataFrame(
        {name: np.concatenate([np.empty(0, kind), *(part[name] for part in parts)]) for name, kind in names.items()}
    )
    return frame.assign(period=pd.Categorical.from_codes(frame["period"].to_numpy(), pd.Index(PERIODS), ordered=True))


def _with_origin(run: Run, readings: Readings, places: Ints, key: Ints, found: dict[str, Ints]) -> dict[str, Ints]:
    due_ns = readings.sent("t_intended_ns")[key]
    origin = {"partition": partition_of(places).astype(np.int32), "sensor": readings.named(key)[0].astype(np.int32)}
    return {**found, **origin, "period": period(run, due_ns, found["latency_s"])}


def spread(run: Run, readings: Readings) -> dict[str, Numbers]:
    """The known values of each column of `latencies` but the time."""
    found = {name: Numbers("float64") for name in COLUMNS[1:]}
    for part in measured(run, readings):
        for name, numbers in found.items():
            numbers.add(part[name][~np.isnan(part[name])])
    return found


def over_time(found: pd.DataFrame, bin_s: float = 0.5) -> pd.DataFrame:
    """Quantiles of `latencies` by intended time: t_s (start of the bin), n, p50_s, p90_s, p99_s, max_s."""
    slot = np.floor(found["t_s"] / bin_s).astype(int)
    groups = found["latency_s"].groupby(slot)
    table = pd.DataFrame({"n": groups.size(), **{name: groups.quantile(q) for name, q in QUANTILES.items()}})
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)


def parts_over_time(found: pd.DataFrame, bin_s: float = 0.5) -> pd.DataFrame:
    """The p99 of each part of `latencies` by intended time: t_s (start of the bin), and a column for each of PARTS."""
    slot = np.floor(found["t_s"] / bin_s).astype(int)
    table = found[[f"{part}_s" for part in PARTS]].groupby(slot).quantile(0.99)
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)
