"""Marks of the group and of those who store: a member removed, a partition assigned, polled and stored again."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from factorylab.analysis.control_log import control_events
from factorylab.analysis.intervals import assignments
from factorylab.analysis.marks import Mark, Victims, first_look, logged
from factorylab.analysis.matching import polls_of
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.history.table_chunks import UNKNOWN


def owners(run: Run, partition: int, t_ns: int) -> frozenset[str]:
    """The processors that believed at this moment that they owned the partition."""
    owned, t_s = run.once(assignments), (t_ns - run.t0_ns) / NS
    mine = owned[(owned["partition"] == partition) & (owned["start_s"] <= t_s) & (owned["end_s"] >= t_s)]
    return frozenset(mine["worker"])


def of_group(run: Run, hit: Victims, partition: int) -> list[Mark]:
    """The removal of the members that a fault is about (its processors, else the partition's owners), and each
    assignment of the partition afterwards."""
    members = hit.processors or owners(run, partition, hit.intended_ns)
    found = [removed] if (removed := _removed(run, hit, members)) else []
    given = run.group[(run.group["event"] == "assigned") & (run.group["t_ns"] > hit.intended_ns)]
    found += [
        Mark("assigned", int(row.t_ns), f"callback of {row.worker}")
        for row in each(given)
        if partition in list(row.partitions)
    ]
    return found


def _removed(run: Run, hit: Victims, members: Collection[str]) -> Mark | None:
    """Where the protocol is `consumer`, members have no names in the log: any of the group counts."""
    unnamed = run.scenario.clients.protocol == "consumer"
    lines = [
        e for e in control_events(run)
        if e.kind == "removed" and e.t_ns > hit.intended_ns
        and (unnamed or any(e.member.startswith(f"{name}-") for name in members))
    ]  # fmt: skip
    if lines:
        return logged(run, "removed", lines[0])
    if not hit.processors:  # whose session ran out beside a fault, only the log tells
        return None
    samples = run.members.sort_values("t_ns", kind="stable")
    listed = samples.groupby("t_ns")["member"].agg(lambda names: bool(set(map(str, names)) & set(members)))
    looks = listed.rename("listed").reset_index()
    return first_look(looks, ~looks["listed"] & (looks["t_ns"] > hit.intended_ns), "removed", "probe")


def of_commit(run: Run, partition: int, t_ns: int) -> list[Mark]:
    """The poll and the beginning of the transaction that the store confirmed at this moment: first_read and begun."""
    commits = run.commits[(run.commits["partition"] == partition) & (run.commits["t_ns"] == t_ns)]
    row = polls_of(commits, run.reads)
    found = []
    for commit, poll in zip(each(commits), row, strict=True):
        if poll >= 0:
            read = run.reads.iloc[poll]
            found.append(Mark("first_read", int(read["t_ns"]), f"poll of {read['worker']}"))
        if commit.begun_ns != UNKNOWN:
            found.append(Mark("begun", int(commit.begun_ns), f"transaction of {commit.worker}"))
    return found


def store_back(run: Run, hit: Victims) -> Mark | None:
    """The database answers a connection and a write again, or a stopped one runs again: the first that was seen."""
    samples = run.processes[run.processes["name"] == "database"]
    found = [_good_again(run, hit, run.database, run.database["answer"] == "ok", "probe, connection")]
    if hit.kind == "pause" or run.database.empty:
        found.append(_good_again(run, hit, samples, samples["status"] == "running", "probe, process"))
    return min((mark for mark in found if mark), key=lambda mark: mark.t_ns, default=None)


def _good_again(run: Run, hit: Victims, samples: pd.DataFrame, good: pd.Series[bool], source: str) -> Mark | None:
    """A sample has the time at which it was asked for, and was answered before the next. None was good before the
    healing began."""
    order = samples["t_ns"].argsort(kind="stable")
    t_ns, fine = samples["t_ns"].to_numpy()[order], good.to_numpy()[order]
    bad = np.flatnonzero(~fine & (t_ns > hit.intended_ns))
    after = np.flatnonzero(fine & (t_ns > t_ns[bad[0]])) if len(bad) else bad
    if not len(after):
        return None
    last_bad_ns, answered_ns = int(t_ns[after[0] - 1]), int(t_ns[min(after[0] + 1, len(t_ns) - 1)])
    steps = run.faults[(run.faults["fault"] == hit.fault) & (run.faults["step"] == "healing")]
    healing_ns = int(steps["t_ns"].min()) if len(steps) else last_bad_ns
    since_ns = healing_ns if last_bad_ns < healing_ns < answered_ns else last_bad_ns
    return Mark("store_back", answered_ns, source, early_ns=answered_ns - since_ns)
