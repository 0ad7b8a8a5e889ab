"""Alert latency, and blind time: how long a violation on each machine would have gone without a timely alert.

Violations are rare, but none is needed. The detectors see every reading, and an alert is stored in the transaction
that stores its reading. So each reading is a sample: *had it crossed a limit, its alert would have been stored when
its batch was*.

    machine     what one sensor watches
    wait        intended send of a reading → the commit that stored it. Infinite where the store does not hold it: shed,
                failed, lost, dead-lettered, not drained
    allowed     the longest wait that is in time: the scenario's objective `latency_p99_s`, else ALLOWED_S. Never taken
                from the run itself: one that was slow before its fault would allow itself more, and no two could be
                compared
    blind       a machine is blind from a reading that waits longer until its next reading is due. Where the sensor
                itself left numbers out, a reading speaks for its share of the time alone

To which period a reading belongs, before, during or after the faults: see `periods`.

What crosses a limit and returns between two readings is seen by nobody: blind times are known to one reading
interval at each end. A reading whose transaction was not journaled (its processor was killed just then) waits until
the next one of its partition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from factorylab.analysis.latency import Commits
from factorylab.analysis.periods import PERIODS, allowed_s, fault_span, period
from factorylab.analysis.quantiles import at_ranks
from factorylab.analysis.readings import Ints, Mask, Readings
from factorylab.core.clock import NS
from factorylab.core.errors import LabError
from factorylab.core.measures import P99_NEEDS
from factorylab.core.scratch import Numbers, array, chunks
from factorylab.history.saved_run import Run

NEEDED = ("sensors", "sends", "rows", "commits", "phases")
EVERY = slice(None)


@dataclass(frozen=True)
class Waits:
    """The readings that were due, in the order of (sensor, seq), all arrays (of `core.scratch`) of equal length; wait_s
    in seconds."""

    run: Run
    sensor: Ints
    seq: Ints
    t_ns: Ints
    wait_s: Ints
    alarmed: Mask  # a stored alert names this reading, and it is stored itself

    def late(self, part: slice) -> Mask:
        """Some of them, by which wait longer than is allowed."""
        found: Mask = self.wait_s[part] > allowed_s(self.run)
        return found

    def until_ns(self, at: Ints) -> Ints:
        """Until when the readings at these positions speak for their machines: the last of each as the one before."""
        after, before = np.minimum(at + 1, len(self.t_ns) - 1), np.maximum(at - 1, 0)
        followed = (after > at) & (self.sensor[after] == self.sensor[at])
        alone = ~followed & ((before == at) | (self.sensor[before] != self.sensor[at]))
        low, high = np.where(followed, at, before), np.where(followed, after, at)
        slots = np.maximum(self.seq[high] - self.seq[low], 1)
        until: Ints = self.t_ns[at] + np.where(alone, 0, self.t_ns[high] - self.t_ns[low]) // slots
        return until

    def period(self, part: slice) -> Ints:
        """Of some of them: the index in PERIODS, −1 before the steady state."""
        return period(self.run, self.t_ns[part], self.wait_s[part])


def waits(run: Run, readings: Readings | None = None) -> Waits:
    """What became of every reading that was due.

    Raises:
        LabError: the run was recorded without a table that tells.
    """
    missing = [name for name in NEEDED if not run.has(name)]
    if missing:
        raise LabError(f"not recorded: the history lacks {', '.join(missing)}")
    if run.scenario.subject and not run.tells_when_written:
        raise LabError("not recorded: a program under test does not tell when it stored a reading")
    if run.scenario.shared:
        raise LabError("a share group raises no alerts, so no machine is watched")
    readings = readings or Readings(run)
    stored_ns, alarmed = _stored_ns(readings), _alarmed(readings)
    count, at = readings.count(lambda k: k.due), 0
    found = Waits(run, array(count, "int32"), *(array(count, kind) for kind in ("int64", "int64", "float64", "bool")))
    for part in chunks(readings.size):
        key = np.flatnonzero(readings.of(part).due) + part.start
        here, at = slice(at, at + len(key)), at + len(key)
        found.sensor[here], found.seq[here] = readings.named(key)
        t_ns = found.t_ns[here] = readings.sent("t_intended_ns")[key]
        found.wait_s[here] = np.where(stored_ns[key] >= 0, (stored_ns[key] - t_ns) / NS, np.inf)
        found.alarmed[here] = alarmed[key] & (stored_ns[key] >= 0)
    return found


def _alarmed(readings: Readings) -> Mask:
    """By key: the table of alerts names it."""
    alerts = readings.run.frame("alerts", "sink", "sensor", "seq")
    raised = alerts[alerts["sink"] == "table"]
    key = readings.keys(raised["sensor"].to_numpy(), raised["seq"].to_numpy())
    found = array(readings.size, "bool")
    found[key[key >= 0]] = True
    return found


def _stored_ns(readings: Readings) -> Ints:
    """By key: when its first row in the store was committed, −1 where there is none."""
    if readings.run.tells_when_written:
        return readings.written_ns
    run, commits, found = readings.run, Commits(readings.run), array(readings.size, "int64", -1)
    end_ns = run.phases.get("final_read") or max(run.phases.values())
    for rows, key, places in readings.rows.places():
        first = np.flatnonzero(key >= 0)
        first = first[readings.rows.first[key[first]] == first + rows.start]
        stored_ns = commits.t_ns(places[first], or_next=True)
        found[key[first]] = np.where(stored_ns < 0, end_ns, stored_ns)
    return found


def blind_spans(found: Waits) -> pd.DataFrame:
    """One row for each late reading from the steady state on: sensor, start_ns, end_ns, period (index in PERIODS)."""
    parts = [_blind_spans(found, part) for part in chunks(len(found.t_ns))]
    return pd.concat(parts, ignore_index=True) if parts else _blind_spans(found, slice(0))


def _blind_spans(found: Waits, part: slice) -> pd.DataFrame:
    period = found.period(part)
    here = np.flatnonzero(found.late(part) & (period >= 0))
    at = here + (part.start or 0)
    columns = {"sensor": found.sensor[at], "start_ns": found.t_ns[at], "end_ns": found.until_ns(at)}
    return pd.DataFrame({**columns, "period": period[here]})


def blind_time(run: Run, found: Waits | None = None) -> pd.DataFrame:
    """One row for each machine of which two readings or more were due.

    Columns: sensor, name, location; interval_s, the mean time between its readings; before_s, during_s and after_s,
    how long it was blind in each period; blind_s, of these what came with the fault: during and after, or all of a
    run without a fault; longest_wait_s in that time (inf: never stored); never, how many readings of that time are not
    stored.

    Raises:
        LabError: the run was recorded without a table that tells.
    """
    found = waits(run) if found is None else found
    number, faulty = len(PERIODS), int(fault_span(run) is not None)
    machines = int(max((found.sensor[part].max() for part in chunks(len(found.sensor))), default=-1)) + 1
    readings, never = np.zeros((2, machines), dtype=np.int64)
    sums, longest_s = np.zeros(machines * number), np.full(machines, -np.inf)
    for part in chunks(len(found.sensor)):
        sensor, counts = found.sensor[part], found.period(part) >= faulty
        readings += np.bincount(sensor, minlength=machines)
        never += np.bincount(sensor[counts & np.isinf(found.wait_s[part])], minlength=machines)
        np.maximum.at(longest_s, sensor, np.where(counts, found.wait_s[part], 0))
        spans = _blind_spans(found, part)
        cell, lasted_ns = spans["sensor"] * number + spans["period"], spans["end_ns"] - spans["start_ns"]
        sums += np.bincount(cell, weights=lasted_ns, minlength=machines * number)
    sensor = np.flatnonzero(readings)
    last = np.cumsum(readings[sensor]) - 1
    first = last - readings[sensor] + 1
    slots = found.seq[last] - found.seq[first]
    names = run.frame("sensors", "sensor", "name", "location").drop_duplicates("sensor").set_index("sensor")
    table = names.astype(str).reindex(sensor).rename_axis("sensor").reset_index()
    table["interval_s"] = (found.t_ns[last] - found.t_ns[first]) / NS / np.maximum(slots, 1)
    table[[f"{period}_s" for period in PERIODS]] = sums.reshape(-1, number)[sensor] / NS
    table["blind_s"] = table["during_s"] + table["after_s"] if faulty else table["before_s"]
    table["longest_wait_s"], table["never"] = longest_s[sensor], never[sensor]
    whole: pd.DataFrame = table[slots > 0].reset_index(drop=True)
    return whole


def alert_latency(run: Run, found: Waits | None = None) -> pd.DataFrame:
    """How late alerts were stored, from the intended send of the reading that raised them to the commit.

    Two rows for each period (without a fault one period, "no fault"): `of` "alerts", those that were really raised and
    stored, and "readings": all, had each raised one. Columns period, of, n, never (readings that are not stored),
    p50_s, p99_s (NaN below P99_NEEDS), max_s; NaN: n is 0, inf: never.

    Raises:
        LabError: the run was recorded without a table that tells.
    """
    found = waits(run) if found is None else found
    names = PERIODS if fault_span(run) else ("no fault",)
    seconds = {(name, of): Numbers("float64") for name in names for of in ("alerts", "readings")}
    for part in chunks(len(found.t_ns)):
        period = found.period(part)
        for i, name in enumerate(names):
            seconds[name, "alerts"].add(found.wait_s[part][(period == i) & found.alarmed[part]])
            seconds[name, "readings"].add(found.wait_s[part][period == i])
    return pd.DataFrame([{"period": name, "of": of, **_spread(wait_s)} for (name, of), wait_s in seconds.items()])


def _spread(wait_s: Numbers) -> dict[str, float]:
    """Quantiles by nearest rank, which needs no arithmetic with what is infinite."""
    n, shares = len(wait_s), (0.5, 0.99, 1)
    p50, p99, top = at_ranks(wait_s, [int(np.ceil(q * n)) - 1 for q in shares]) if n else [np.nan] * len(shares)
    never = sum(int(np.isinf(part).sum()) for part in wait_s.parts())
    return {"n": n, "never": never, "p50_s": p50, "p99_s": p99 if n >= P99_NEEDS else np.nan, "max_s": top}


def blind_over_time(found: Waits, points: int = 200) -> pd.DataFrame:
    """How many machines were blind, from the steady state to the last reading, looked at at evenly spread moments.

    Columns: t_s, and one for each location, in their order. Moments at which nothing had changed are left out.
    """
    spans = blind_spans(found)
    sensors = found.run.frame("sensors", "sensor", "location").drop_duplicates("sensor")
    place = spans["sensor"].map(dict(zip(sensors["sensor"], sensors["location"].astype(str), strict=True)))
    at_ns = np.linspace(found.run.t0_ns, int(found.t_ns.max(initial=found.run.t0_ns)), points)
    table = pd.DataFrame({"t_s": (at_ns - found.run.t0_ns) / NS})
    for location in sorted(sensors["location"].astype(str).unique()):
        mine = spans[place == location]
        begun, over = (np.searchsorted(np.sort(mine[c]), at_ns, side="right") for c in ("start_ns", "end_ns"))
        table[location] = begun - over
    changed = table.drop(columns="t_s").diff().any(axis=1)
    changed.iloc[[0, -1]] = True
    return table[changed]


def waits_over_time(found: Waits, chosen: Mask, bin_s: float = 0.5) -> pd.DataFrame:
    """Of some readings, by intended time: t_s (start of the bin), longest_s of those that were stored, never."""
    chosen = chosen & (found.period(EVERY) >= 0)
    t_s, wait_s = (found.t_ns[chosen] - found.run.t0_ns) / NS, found.wait_s[chosen]
    never = np.isinf(wait_s)
    groups = pd.DataFrame({"wait_s": np.where(never, np.nan, wait_s), "never": never}).groupby(np.floor(t_s / bin_s))
    table = groups.agg(longest_s=("wait_s", "max"), never=("never", "sum"))
    table.insert(0, "t_s", table.index.to_numpy() * bin_s)
    return table.reset_index(drop=True)
