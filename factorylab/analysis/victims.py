"""Which roles the victims of faults had when they were hit: they decide what their loss does."""

from __future__ import annotations

from typing import Any

import pandas as pd

from factorylab.analysis.service import fault_windows
from factorylab.core.vocabulary import CONTROLS, COORDINATES
from factorylab.history.saved_run import Run, each

UNKNOWN = "not recorded"


def victims(run: Run) -> pd.DataFrame:
    """One row for each fault and node, as in `fault_windows`: fault, node, roles.

    Roles of a broker: "leader" (of any partition of sensor-data, by the probe's last look before the injection) or
    "follower", with "coordinator" and "controller" as the injector was told just before it, joined by " + ". Other
    nodes are what they are: "processor", "database".
    """
    windows = fault_windows(run)
    return windows[["fault", "node"]].assign(roles=[_roles(run, window) for window in each(windows)])


def _roles(run: Run, window: Any) -> str:
    kind, _, number = str(window.node).partition("-")
    if kind != "broker":
        return kind
    steps = run.faults
    mine = (steps["fault"] == window.fault) & (steps["node"] == window.node) & (steps["step"] == "intended")
    looks = run.partitions[(run.partitions["leader"] >= 0) & (run.partitions["t_ns"] < window.intended_ns)]
    if not mine.any() or looks.empty:
        return UNKNOWN
    told = str(steps.loc[mine, "evidence"].iloc[0]).split("; ")
    last = looks.sort_values("t_ns", kind="stable").drop_duplicates("partition", keep="last")
    first = "leader" if (last["leader"] == int(number)).any() else "follower"
    more = [role for role, words in (("coordinator", COORDINATES), ("controller", CONTROLS)) if words in told]
    return " + ".join([first, *more])
