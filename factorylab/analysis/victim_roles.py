"""Which roles the victim of a fault really had: what the cluster told just before the injection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from factorylab.analysis.service import fault_windows
from factorylab.core.vocabulary import CONTROLS, COORDINATES, FROM_BEFORE
from factorylab.history.saved_run import Run, each

_DID = re.compile(r"\b(leads|follows|owns) (p\d+(?:, p\d+)*)")
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class VictimRoles:
    """By what it did to them (led, followed, owned, any): its partitions. Of several victims the roles of all."""

    partitions: dict[str, list[int]] = field(default_factory=dict)
    controller: bool = False
    coordinator: bool = False
    known: bool = False


def victim_roles(run: Run, fault: int) -> VictimRoles:
    """Of fault number `fault`, by its steps "intended". Not `known` where it was not injected, or where the cluster
    could only tell what had been before; then nothing is said to be led, followed or owned. All partitions are the
    database's."""
    steps = run.faults[run.faults["fault"] == fault]
    told = [str(words) for words in steps.loc[steps["step"] == "intended", "evidence"]]
    if not told or not (steps["step"] == "injected").any():
        return VictimRoles()
    known = not any(FROM_BEFORE in words for words in told)
    did: dict[str, set[int]] = {}
    for verb, names in (found for words in told if known for found in _DID.findall(words)):
        role = {"leads": "led", "follows": "followed", "owns": "owned"}[verb]
        did.setdefault(role, set()).update(int(name[1:]) for name in names.split(", "))
    if (steps["node"] == "database").any():
        did["any"] = set(range(run.scenario.topology.partitions))
    led = did.get("led", set())
    return VictimRoles(
        partitions={role: sorted(of if role != "followed" else of - led) for role, of in did.items()},
        controller=any(CONTROLS in words for words in told),
        coordinator=any(COORDINATES in words for words in told),
        known=known,
    )


def roles_by_node(run: Run) -> pd.DataFrame:
    """One row for each fault and node, as in `fault_windows`: fault, node, roles.

    Roles of a broker: "leader" (of any partition of sensor-data, by the probe's last look before the injection) or
    "follower", with "coordinator" and "controller" as the injector was told just before it, joined by " + "; UNKNOWN
    where the cluster could only tell what had been before. Other nodes are what they are: "processor", "database".
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
    words = "".join(steps.loc[mine, "evidence"].astype(str).head(1))
    if not mine.any() or FROM_BEFORE in words or looks.empty:
        return UNKNOWN
    last = looks.sort_values("t_ns", kind="stable").drop_duplicates("partition", keep="last")
    first = "leader" if (last["leader"] == int(number)).any() else "follower"
    more = [role for role, says in (("coordinator", COORDINATES), ("controller", CONTROLS)) if says in words]
    return " + ".join([first, *more])
