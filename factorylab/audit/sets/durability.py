"""Runs side by side by what was done to the brokers, by acks and by replicas: one place for each, also where none was
run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import pandas as pd

from factorylab.audit.sets.recorded import AnyRun
from factorylab.audit.sets.run_set import RunSet, by_cell
from factorylab.audit.sets.summary import Row, bounds, marked, number, row
from factorylab.core.errors import UsageError
from factorylab.scenarios.model import Scenario

NOT_RUN, NONE_VALID = "not run", "INVALID alone"
NO_RUNS = RunSet("", {}, (), {})


class Place(NamedTuple):
    """`fault` in words, replicas with min ISR in words, acks."""

    fault: str
    replicas: str
    acks: str

    @classmethod
    def of(cls, scenario: Scenario) -> Place:
        done = [f"{fault.kind} {fault.aim.role}" for fault in sorted(scenario.faults, key=lambda fault: fault.at_s)]
        kept = f"{scenario.topology.replication} replicas, min ISR {scenario.topology.min_isr}"
        return cls(", ".join(done) or "no fault", kept, scenario.clients.acks)


def places(runs: Iterable[AnyRun], planned: Iterable[Scenario] = ()) -> dict[Place, RunSet | None]:
    """The runs of each place, in order: every fault of a run or a planned scenario, with all replicas and acks of any;
    None where there is no run.

    Raises:
        UsageError: there is no run, or runs of one place differ in more than what names it.
    """
    found: dict[Place, list[AnyRun]] = {}
    for run in runs:
        found.setdefault(Place.of(run.scenario), []).append(run)
    if not found:
        raise UsageError("no run is here: name a campaign that was recorded, or run some")
    known = {*found, *map(Place.of, planned)}
    named = (sorted({place[part] for place in known}) for part in range(len(Place._fields)))
    every = [Place(*words) for words in product(*named)]
    return {place: _alike(place, found[place]) if place in found else None for place in every}


def _alike(place: Place, runs: Sequence[AnyRun]) -> RunSet:
    first, *others = by_cell(runs)
    if others:
        raise UsageError(f"{', '.join(place)}: runs differ in {', '.join(first.unlike)}: keep those with one of each")
    return first


def table(runs: Iterable[AnyRun], *names: str, planned: Iterable[Scenario] = ()) -> pd.DataFrame:
    """One row a place, as text: n, INVALID, and each quantity of `names` with its unit: the median with its interval,
    below five values these themselves, and why runs have none.

    Raises:
        UsageError: as `places`, or there is no quantity of a name.
    """
    told = {place: _row(found, names) for place, found in places(runs, planned).items()}
    index = pd.MultiIndex.from_tuples(list(told), names=list(Place._fields))
    return pd.DataFrame(list(told.values()), index=index)


def _row(found: RunSet | None, names: Sequence[str]) -> dict[str, str]:
    some = found or NO_RUNS
    rows = [row(name, some.values(name), some.sample(name)) for name in names]
    counts = {"n": str(len(some.runs)), "INVALID": str(len(some.left_out))}
    return counts | {f"{one.quantity} ({one.unit})": absent(found) or measured(one) for one in rows}


def absent(found: RunSet | None) -> str:
    """Why a place has no number, where no run of it counts."""
    return NOT_RUN if found is None else "" if found.runs else NONE_VALID


def measured(told: Row) -> str:
    """The median with its interval, or the values; behind them, how many runs have none, and why."""
    words = [", ".join(map(marked, sorted(told.values)))] if told.values else []
    if told.interval is not None:
        words = [f"{'not reached' if told.median is None else number(told.median)} ({bounds(told.interval)})"]
    return "; ".join([*words, *(f"{n} {why}" for why, n in told.missing.items())])
