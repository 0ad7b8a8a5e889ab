"""What comes beside and after the stalls of a fault: how long it held, the ISR full again, the backlog drained."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from factorylab.analysis.courses import Courses, span_of
from factorylab.analysis.marks import Mark, Victims, first_look
from factorylab.analysis.rates import lag
from factorylab.analysis.recovery import LAG_FLOOR_S, caught_up_s
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run
from factorylab.scenarios.stall_phases import DRAIN, FOLLOWER_LOST, HEAL, ISR_FULL, LEADER_LOST


class Lasting(NamedTuple):
    """A phase, the marks that begin and end it, and whether it had not ended when it was last watched."""

    phase: str
    begun: Mark
    ended: Mark
    open: bool


def aftermath(run: Run, courses: Courses, stalls: pd.DataFrame, last: Any) -> list[Lasting]:
    """HEAL and ISR_FULL (of a broker that had a copy) of the fault of a row of `stalls`, the last of that fault and
    partition, and DRAIN from its end.

    A healing or a full ISR that was not seen is open until the end of the run. There is no ISR_FULL where no replica
    was missing, and no DRAIN where the backlog was not seen to leave its band of the steady state, where the stall is
    open itself, or where another of these stalls of the partition came before the backlog was gone.
    """
    hit, marks = courses.victims(last.fault), {mark.moment: mark for mark in courses.marks_of_fault(last.fault)}
    end = Mark("drained", run.last_ns, "")
    silent, healed, found = marks.get("silent"), marks.get("healed"), list[Lasting]()
    if silent:
        found.append(Lasting(HEAL.name, silent, healed or end, healed is None))
    if healed and courses.role(hit, last.partition) in (LEADER_LOST, FOLLOWER_LOST):
        short, full = courses.history(last.partition).refilled(hit.intended_ns, healed.t_ns)
        found += [Lasting(ISR_FULL.name, healed, full or end, full is None)] if short else []
    stood = Mark("first_commit", span_of(run, last)[1], "the end of the last stall")
    return found if last.open else [*found, *_drain(run, hit, stalls, last, stood)]


def _drain(run: Run, hit: Victims, stalls: pd.DataFrame, last: Any, stood: Mark) -> list[Lasting]:
    looks = run.once(_lags)
    looks = looks[looks["partition"] == last.partition]
    at_s = (hit.intended_ns - run.t0_ns) / NS
    floor = LAG_FLOOR_S * run.scenario.workload.rate_per_s / run.scenario.topology.partitions
    lasted_s, censored = caught_up_s(looks, at_s, floor)
    t_ns = round((at_s + lasted_s) * NS) + run.t0_ns if lasted_s > 0 else 0
    later = stalls[(stalls["partition"] == last.partition) & (stalls["start_s"] >= last.end_s)]
    if t_ns <= stood.t_ns or (later["start_s"] < at_s + lasted_s).any():
        return []
    seen = first_look(looks, looks["t_ns"] >= t_ns - 1, "drained", "probe, lag")
    return [Lasting(DRAIN.name, stood, seen or Mark("drained", t_ns, "probe, lag"), censored)]


def _lags(run: Run) -> pd.DataFrame:
    """`rates.lag` by partition and time, with t_ns."""
    found = lag(run).sort_values(["partition", "t_s"], kind="stable")
    return found.assign(t_ns=(found["t_s"] * NS).round().astype("int64") + run.t0_ns)
