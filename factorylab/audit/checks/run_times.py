"""The times of the run: what belongs to which phase, the steps of faults, the stages of the load, the probe's looks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import NS
from factorylab.core.vocabulary import Phase, Step
from factorylab.history.tables import TABLES

DURING: dict[tuple[Phase, Phase], tuple[str, ...]] = {
    ("start", "drain"): ("sensors", "stages", "sends"),
    ("start", "final_read"): (
        "reads", "commits", "group", "partitions", "lag", "processes", "members", "reach", "views", "database"),
    ("fault_window", "after"): ("faults",),
    ("drain", "final_read"): ("frozen",),
    ("final_read", "end"): ("log", "rows", "alerts", "dead_letters", "positions", "epochs", "cross_reads"),
}  # fmt: skip
"""In which part of the run the rows of each table are written. Processors and probe are stopped before the final read,
fleets before the drain. Of `events` the database has the times, of `workers` and `phases` `one_clock` knows more."""
STEPS: tuple[Step, ...] = ("intended", "injected", "evidence", "healing", "healed")
ANSWER_S = 2.0  # an answer is at most half a second old, and a broker may take one for it; one more for a busy machine


@check(
    "Everything was noted in its part of the run, faults and stages step by step, answers after their questions.",
    "times cannot be", "INVALID", of_times=True,
)  # fmt: skip
def run_times(e: Evidence) -> Found:
    cases = [*_outside(e), *_faults(e), *_stages(e), *_asked(e)]
    return found(cases, sum(e.run.row_count(table) for table in TABLES))


def _outside(e: Evidence) -> Iterator[Impossible]:
    """Rows from before or after the part of the run that their table is written in; of sends, answers too."""
    for (begins, ends), tables in DURING.items():
        start, end = e.run.phases.get(begins, 0), e.run.phases.get(ends, np.iinfo(np.int64).max)
        for table in tables:
            if table == "rows" and e.run.tells_when_written:  # `one_run` holds them against the run's own time
                continue
            columns = ("t_ns", "t_ack_ns") if table == "sends" else ("t_ns",)
            for name in columns:
                moments = (chunk[name] for chunk in e.run.chunks(table, name))
                outside = sum(int(((t > end) | ((t < start) & (t >= 0))).sum()) for t in moments)
                words = f"{name} of {table} are not from between {begins} and {ends}"
                yield Impossible(outside, words, (table, "phases"))


def _faults(e: Evidence) -> Iterator[Impossible]:
    """The first of each kind of step of a fault on a node, in their order."""
    first = e.run.faults.astype({"step": str}).sort_values("t_ns", kind="stable")
    first = first.drop_duplicates(["fault", "node", "step"])
    for (fault, node), mine in first.groupby(["fault", "node"], observed=True):
        at = dict(zip(mine["step"], mine["t_ns"], strict=True))
        for a, b in pairwise(step for step in STEPS if step in at):
            yield Impossible(int(at[b] < at[a]), f"fault {fault} on {node} was {b} before {a}", ("faults",))


def _stages(e: Evidence) -> Iterator[Impossible]:
    stages = e.run.stages.sort_values("t_ns", kind="stable")
    for fleet, mine in stages.groupby("worker", observed=True):
        yield Impossible(int((mine["t_ns"].diff() == 0).sum()), f"stages of {fleet} have no length", ("stages",))


def _asked(e: Evidence) -> Iterator[Impossible]:
    """The probe's answers: asked before they were written down, and not longer before than an answer may be old."""
    looks = e.run.frame("partitions", "t_ns", "asked_ns")
    looks = looks[looks["asked_ns"] >= 0]
    age_s = (looks["t_ns"] - looks["asked_ns"]) / NS
    yield Impossible(int((age_s < 0).sum()), "answers of brokers came before they were asked", ("partitions",))
    old = int((age_s > ANSWER_S + e.run.scenario.topology.partitions).sum())
    yield Impossible(old, "answers of brokers are older than an answer may be", ("partitions",))
