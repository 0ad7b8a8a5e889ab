"""What a fault did to the service: how long until it was noticed, mended for good, and the backlog worked off.

    detection   injection → the first change seen in leaders and ISR (a broker), the group's first callback (a
                processor), or the first processor that notes that it cannot store (the database)
    recovery    injection → the end of the last stall that the fault caused, of acks or stores, on any partition, up
                to the end of the drain: from then on service stayed. What a stall is, from which length on (STALL_S,
                with its reason) and which fault's it is, stands in `stalls`. 0 where no partition stalled; a stall
                of another fault that overlaps counts as well, since service was not back
    catch_up    injection → the total lag is back in its band of the steady state, and stays there for SETTLED_S

What was not seen to end is *censored*: the value is how long it was watched, and the truth is more than that. What
could have come and gone while the probe was blind is not observed, and NaN.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.looks import BLIND_S, unled
from factorylab.analysis.rates import total_lag
from factorylab.analysis.service import ServiceTimes, fault_windows
from factorylab.analysis.stalls import stalls, until_whole
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.fault_catalog import BY_REQUEST

SETTLED_S = 2.0
LAG_FLOOR_S = 0.25  # a lag of what is offered in this time is healthy: the probe's period, and one batch


def recovery(run: Run, service: ServiceTimes | None = None, stood: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row for each row of `fault_windows`, with held_s and, each with its `…_censored`, detection_s,
    recovery_s and catch_up_s. `service` and `stood` (`stalls` of the run): where they are known already."""
    service = service or ServiceTimes(run)
    stood = stalls(run, service) if stood is None else stood
    lags, windows = run.once(total_lag), fault_windows(run)
    rows = []
    for fault in each(windows):
        at = int(fault.injected_ns)
        early = fault.node == "database" or fault.kind in BY_REQUEST
        begun = int(fault.intended_ns) if early else at  # clients may notice before we are done
        detection = _detected_ns(run, str(fault.node), begun)
        reacted_ns = service.sending_ends_ns if detection is None else detection
        unseen = bool(fault.node.startswith("broker") and unled(run, begun, reacted_ns))
        unseen |= not run.scenario.owns_partitions and not fault.node.startswith("broker")  # it notes nothing
        back = _back_s(until_whole(fault.fault, windows, stood, run.t0_ns), (at - run.t0_ns) / NS)
        caught_up = caught_up_s(lags, (at - run.t0_ns) / NS, LAG_FLOOR_S * run.scenario.workload.rate_per_s)
        rows.append(
            {
                "fault": fault.fault,
                "kind": fault.kind,
                "target": fault.target,
                "node": fault.node,
                "held_s": (fault.healed_ns - at) / NS if fault.healed_ns > 0 else float("nan"),
                "detection_s": float("nan") if unseen else max((reacted_ns - at) / NS, 0.0),
                "detection_censored": detection is None,
                "recovery_s": back[0],
                "recovery_censored": back[1],
                "catch_up_s": caught_up[0],
                "catch_up_censored": caught_up[1],
            }
        )
    return pd.DataFrame(rows)


def _detected_ns(run: Run, node: str, at: int) -> int | None:
    """When the system first reacted, None where it was not seen to."""
    if node == "database":
        noted = run.events
        later = noted.loc[(noted["event"] == "store_lost") & (noted["t_ns"] > at), "t_ns"]
        return int(later.min()) if len(later) else None
    if node.startswith("processor"):
        later = run.group.loc[run.group["t_ns"] > at, "t_ns"]
        return int(later.min()) if len(later) else None
    samples = run.partitions[run.partitions["valid"] | (run.partitions["leader"] >= 0)].sort_values("t_ns")
    view = pd.Series(
        [f"{leader} {sorted(isr)}" for leader, isr in zip(samples["leader"], samples["isr"], strict=True)],
        index=samples.index,
        dtype=object,
    )
    changed = view != view.groupby(samples["partition"]).shift()
    first = ~samples["partition"].duplicated()
    later = samples.loc[changed & ~first & (samples["t_ns"] > at), "t_ns"]
    return int(later.min()) if len(later) else None


def _back_s(ended: pd.DataFrame, at_s: float) -> tuple[float, bool]:
    """(seconds, censored) from the injection until the last of these stalls ended."""
    if ended.empty:
        return 0.0, False
    return max(float(ended["end_s"].max()) - at_s, 0.0), bool(ended["open"].any())


def caught_up_s(lags: pd.DataFrame, at_s: float, floor_records: float) -> tuple[float, bool]:
    """(seconds, censored) from `at_s` until a lag (t_s, lag_records) is healthy for good; 0 where it never left its
    band. NaN where there is nothing to compare, or where it may have left its band unseen."""
    steady, later = lags[lags["t_s"].between(0, at_s)], lags[lags["t_s"] > at_s]
    if steady.empty or later.empty:
        return float("nan"), False
    band = max(2 * float(steady["lag_records"].quantile(0.99)), floor_records)
    t_s, high = later["t_s"].to_numpy(), (later["lag_records"] > band).to_numpy()
    if not high.any():
        return float("nan") if np.diff(t_s, prepend=at_s).max() > BLIND_S else 0.0, False
    start = int(high.argmax())
    for i in np.flatnonzero(~high[start:]) + start:
        settled = (t_s >= t_s[i]) & (t_s <= t_s[i] + SETTLED_S)
        if not high[settled].any():
            return float(t_s[i] - at_s), False
    return float(t_s[-1] - at_s), True
