"""What the probe's own attempts to connect say about a network fault. Empty lists are good news.

The time of an attempt is when it was begun, and a broken one takes until it is given up: the last round before the
healing may have ended after it, so it counts for neither side.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from factorylab.history.saved_run import Run, each
from factorylab.scenarios.model import Fault

OFTEN = 0.5  # a busy machine may make an open link look broken for once


def not_as_cut(run: Run, fault: Fault, window: Any) -> list[str]:
    """What the links did while a fault was held (`window`: a row of `fault_windows`) that they should not have done:
    one that it breaks was open even once, or another was broken more often than not."""
    from_ns = step_ns(run, window, "evidence", window.injected_ns)
    rounds = _rounds(run, from_ns, step_ns(run, window, "healing", window.healed_ns))
    rounds = rounds[rounds["t_ns"] < rounds["t_ns"].max()]
    others = {f.node for f in each(run.faults) if f.fault != window.fault}
    own = {f.node for f in each(run.faults) if f.fault == window.fault}  # followers:P are two
    wrong, tried = [], 0
    for (source, target), mine in rounds.groupby(["source", "target"], observed=True):
        if fault.breaks(window.node, str(source), str(target)):
            tried += 1
            wrong += [f"{source}→{target} was open"] * bool(mine["ok"].any())
        elif any(fault.breaks(node, str(source), str(target)) for node in own) or {source, target} & others:
            continue
        elif mine["ok"].mean() < OFTEN:
            wrong.append(f"{source}→{target} was broken too")
    return wrong if tried else ["no link that it breaks was tried"]


def not_whole(run: Run, fault: Fault, window: Any, until_ns: int) -> list[str]:
    """Links that the fault broke and that the last attempt after its healing, up to `until_ns`, did not find open."""
    after = _rounds(run, window.healed_ns, until_ns).drop_duplicates(["source", "target"], keep="last")
    last = {(str(a.source), str(a.target)): a.ok for a in each(after)}
    tried = run.frame("reach", "source", "target").drop_duplicates().astype(str)
    broke = [(a.source, a.target) for a in each(tried) if fault.breaks(window.node, a.source, a.target)]
    return [f"{source}→{target} was not seen whole" for source, target in broke if not last.get((source, target))]


def _rounds(run: Run, from_ns: int, until_ns: int) -> pd.DataFrame:
    attempts = run.reach.sort_values("t_ns", kind="stable")
    return attempts[attempts["t_ns"].between(from_ns, until_ns)]


def step_ns(run: Run, window: Any, step: str, otherwise_ns: int) -> int:
    """When a fault's step on a node was noted."""
    steps = run.faults
    mine = (steps["fault"] == window.fault) & (steps["node"] == window.node) & (steps["step"] == step)
    return int(steps.loc[mine, "t_ns"].min()) if mine.any() else otherwise_ns
