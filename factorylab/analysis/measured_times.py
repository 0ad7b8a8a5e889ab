"""The times that a prediction speaks of, measured: a value for each quantity and role, none where it was not seen."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from factorylab.analysis.anatomy import anatomy
from factorylab.analysis.partitioned import acks_kept_and_lost
from factorylab.analysis.recovery import recovery
from factorylab.analysis.service import ServiceTimes, fault_windows, longest_gap
from factorylab.analysis.standing import standing
from factorylab.analysis.victim_roles import VictimRoles
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

LOST_BIN_S = 0.1


class Measured(NamedTuple):
    """`censored`: it did not end while it was watched, so that the truth is more than `value_s`."""

    value_s: float
    censored: bool


Key = tuple[str, str]
"""Name of the quantity, role of the partitions."""


def measured_times(run: Run, fault: int, roles: VictimRoles) -> dict[Key, Measured]:
    """Of fault number `fault`: its phases, as `anatomy` has them; longest_ack_gap and longest_store_gap, each the
    longest of the partitions of a role; recovery, the longest of its victims; committed_stall, where processors work in
    transactions; and lost_until, the last lost acknowledgement of what the victim led."""
    windows = fault_windows(run)
    mine = windows[windows["fault"] == fault]
    if mine.empty:
        return {}
    service = run.once(ServiceTimes)
    begun, ends = int(mine["intended_ns"].min()), _next_ns(run, fault)
    found = phase_times(run.once(anatomy), fault, roles)
    for role, partitions in roles.partitions.items():
        for name, kind in (("longest_ack_gap", "acks"), ("longest_store_gap", "stores")):
            gaps = [_gap(service, kind, partition, begun, ends) for partition in partitions]
            if gaps:
                found[name, role] = _longest(gaps)
    if "led" in roles.partitions and (lost := _lost_until(run, roles.partitions["led"], begun, ends)):
        found["lost_until", "led"] = lost
    if stood := _stood(run, begun, ends):
        found["committed_stall", "any"] = stood
    back = run.once(recovery)
    back = back[back["fault"] == fault]
    found["recovery", worst_role(roles)] = Measured(
        float(back["recovery_s"].max()), bool(back["recovery_censored"].any())
    )
    return found


def _stood(run: Run, begun: int, ends: int) -> Measured | None:
    """The longest time that readers of committed alerts stood still since the fault; None where the probe saw none."""
    seen = run.once(standing)
    mine = seen[seen["begun_ns"].between(begun, ends, inclusive="left")]
    return _longest([Measured(float(m.lasted_s), bool(m.censored)) for m in each(mine)]) if len(mine) else None


def worst_role(roles: VictimRoles) -> str:
    """The role of the partitions on which recovery depends: what a broker led takes longer than what it followed."""
    return next((role for role in ("led", "followed") if roles.partitions.get(role)), "any")


def _longest(values: list[Measured]) -> Measured:
    """Of several partitions. Where one did not end, the longest of all is only known to be longer than that."""
    return Measured(max(one.value_s for one in values), any(one.censored for one in values))


def phase_times(frame: pd.DataFrame, fault: int, roles: VictimRoles) -> dict[Key, Measured]:
    """Each phase of the stalls of a fault, the longest of the partitions of a role; of `anatomy`'s rows. One that is
    open makes the longest censored."""
    mine, found = frame[frame["fault"] == fault], dict[Key, Measured]()
    of_all = [int(partition) for partition in mine["partition"].unique()]
    for role, partitions in {"any": of_all, **roles.partitions}.items():
        for name, rows in mine[mine["partition"].isin(partitions)].groupby("phase"):
            found[str(name), role] = Measured(float(rows["lasted_s"].max()), bool(rows["open"].any()))
    return found


def _lost_until(run: Run, partitions: list[int], begun: int, ends: int) -> Measured | None:
    """From the fault to the last acknowledgement, before the next fault, of a reading that is not in the log; None
    where none was lost."""
    begun_s, ends_s = ((moment - run.t0_ns) / NS for moment in (begun, ends))
    lost_s = []
    for partition in partitions:
        bins = acks_kept_and_lost(run, partition, LOST_BIN_S)
        mine = bins["t_s"].between(begun_s, ends_s, inclusive="left") & (bins["lost_per_s"] > 0)
        lost_s += [float(t_s) + LOST_BIN_S for t_s in bins.loc[mine, "t_s"].tail(1)]
    return Measured(max(lost_s) - begun_s, censored=False) if lost_s else None


def _next_ns(run: Run, fault: int) -> int:
    """When the next fault began; the end of the run where there is none."""
    windows = fault_windows(run)
    begun = windows.loc[windows["fault"] == fault, "intended_ns"].min()
    later = windows.loc[windows["intended_ns"] > begun, "intended_ns"]
    return int(later.min()) if len(later) else run.last_ns


def _gap(service: ServiceTimes, kind: str, partition: int, begun: int, ends: int) -> Measured:
    wanted = service.wanted_until_ns(kind, partition)
    until = min(ends, service.sending_ends_ns if kind == "acks" else service.drain_ends_ns)
    gap = longest_gap(service.of(kind)[partition], begun, until, wanted)
    return Measured(max(gap.end_ns - max(gap.start_ns, begun), 0) / NS, gap.censored)
