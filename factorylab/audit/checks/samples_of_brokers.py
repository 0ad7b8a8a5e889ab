"""Whether what brokers told of partitions and members can be: of one partition, one look, and the group's callbacks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.intervals import assignments
from factorylab.audit.checks.disturbed import disturbed
from factorylab.audit.model.registry import Evidence
from factorylab.history.saved_run import each


def impossible_replicas(e: Evidence, views: pd.DataFrame) -> Iterator[str]:
    """Samples whose leader is not in the ISR, and partitions with more replicas than they were given."""
    replication = e.run.scenario.topology.replication
    for partition, mine in views[views["leader"] >= 0].groupby("partition"):
        sets = [frozenset(isr) for isr in mine["isr"]]
        if outside := sum(leader not in isr for leader, isr in zip(mine["leader"], sets, strict=True)):
            yield f"{outside:,} samples of partition {partition} have a leader that is not in the ISR"
        if len(replicas := frozenset[int]().union(*sets)) > replication:
            named = ", ".join(map(str, sorted(replicas)))
            yield f"partition {partition} was in sync on brokers {named}, and has {replication} replicas"


def members_elsewhere(e: Evidence) -> Iterator[str]:
    """Looks at the group in which a partition does not belong to the one member that had it by the callbacks, from the
    steady state to the drain, while no fault was about."""
    samples, phases = e.run.members, e.run.phases
    if samples.empty or e.run.group.empty or not {"steady", "drain"} <= phases.keys():
        return
    t_ns = samples["t_ns"].to_numpy()
    quiet = (t_ns >= phases["steady"]) & (t_ns < phases["drain"]) & ~disturbed(e, t_ns, t_ns)
    told = samples[quiet & (samples["state"].astype(str).str.upper() == "STABLE").to_numpy()]
    looks = np.unique(told["t_ns"])
    rows = told.assign(member=told["member"].astype(str)).explode("partitions")
    owned = assignments(e.run)
    for partition in range(e.run.scenario.topology.partitions):
        mine = rows[rows["partitions"] == partition]
        moments = e.run.seconds(mine["t_ns"]).to_numpy()
        known = np.zeros(len(mine), bool)
        for span in each(owned[owned["partition"] == partition]):
            inside = (moments >= span.start_s) & (moments < span.end_s)
            known |= inside & (mine["member"] == span.worker).to_numpy()
        odd = int((~known).sum()) + abs(len(looks) - mine["t_ns"].nunique()) + int(mine["t_ns"].duplicated().sum())
        if odd:
            yield f"{odd:,} looks at partition {partition} have no member for it, two, or one that was not assigned it"
