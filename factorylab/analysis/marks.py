"""Marks: when something that begins or ends a phase of a stall was seen, by whom, and how exactly.

The truth lies between `t_ns` − `early_ns` and `t_ns` + `late_ns`: a look of the probe shows what happened since the one
before was asked for, a line of a log is stamped in milliseconds, a client notes its own events when they happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from factorylab.analysis.control_log import ControlEvent, control_events
from factorylab.analysis.log_lines import STAMP_NS, clock_error_ns
from factorylab.analysis.looks import OLDEST_ANSWER_S
from factorylab.analysis.service import fault_windows
from factorylab.analysis.victim_roles import victim_roles
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run
from factorylab.scenarios.stall_phases import Moment


class Mark(NamedTuple):
    moment: Moment
    t_ns: int
    source: str
    early_ns: int = 0
    late_ns: int = 0


class Victims(NamedTuple):
    """Whom a fault hit: brokers by number, processors by name, and whether the database; `kind` is that of the fault,
    `intended_ns` when it was begun, `at_once`: it undoes itself, as a restart does, `by_request`: it was asked of the
    brokers, and broke no node."""

    fault: int
    kind: str
    brokers: frozenset[int]
    processors: frozenset[str]
    database: bool
    intended_ns: int
    on_network: bool
    at_once: bool
    by_request: bool = False

    @property
    def names(self) -> str:
        brokers = (f"broker-{number}" for number in sorted(self.brokers))
        return ", ".join([*brokers, *sorted(self.processors), *(["database"] if self.database else [])])


def victims(run: Run, fault: int) -> Victims:
    windows = fault_windows(run)
    mine = windows[windows["fault"] == fault]
    nodes = mine["node"].tolist()
    declared = run.scenario.faults[fault] if fault < len(run.scenario.faults) else None
    at_step = declared is not None and declared.step is not None  # it was begun when the processor stood at its step
    return Victims(
        fault=fault,
        kind=str(mine["kind"].iloc[0]),
        brokers=frozenset(int(node.rpartition("-")[2]) for node in nodes if node.startswith("broker-")),
        processors=frozenset(node for node in nodes if node.startswith("processor-")),
        database="database" in nodes,
        intended_ns=int(mine["injected_ns" if at_step else "intended_ns"].min()),
        on_network=declared is not None and declared.on_network,
        at_once=declared is not None and declared.declared.undoes_itself,
        by_request=declared is not None and declared.by_request,
    )


def logged(run: Run, moment: Moment, event: ControlEvent) -> Mark:
    """A mark of a line of a broker's log."""
    error_ns = STAMP_NS + run.once(clock_error_ns)
    return Mark(moment, event.t_ns, f"log of {event.node}", error_ns, error_ns)


def first_look(samples: pd.DataFrame, true: Any, moment: Moment, source: str) -> Mark | None:
    """The first of the samples, which are sorted by time, for which `true` (by row) holds; None where there is none.

    It happened after the sample before was asked for: at `asked_ns`, where that is noted, else up to OLDEST_ANSWER_S
    before it was written.
    """
    at = np.flatnonzero(np.asarray(true))
    if not len(at):
        return None
    t_ns = int(samples["t_ns"].iloc[at[0]])
    before = samples.iloc[at[0] - 1] if at[0] else None
    asked_ns = t_ns - round(OLDEST_ANSWER_S * NS)
    if before is not None:
        noted = int(before.get("asked_ns", -1))
        asked_ns = noted if noted > 0 else int(before["t_ns"]) - round(OLDEST_ANSWER_S * NS)
    return Mark(moment, t_ns, source, early_ns=t_ns - asked_ns)


def of_fault(run: Run, hit: Victims) -> list[Mark]:
    """What a fault's own steps, the probe and the controllers show of it, for whichever partition: injected, silent,
    controller_elected, fenced, healed."""
    found = [Mark("injected", hit.intended_ns, "fault step 'intended'"), _silent(run, hit), _healed(run, hit)]
    events = [e for e in control_events(run) if e.t_ns > hit.intended_ns]
    if was_controller(run, hit):
        found += [logged(run, "controller_elected", e) for e in events if e.kind == "active"][:1]
    fenced = {e.broker: e for e in reversed(events) if e.broker in hit.brokers and _ends_session(run, e)}
    if len(fenced) == len(hit.brokers) and fenced and not ends_in_order(run, hit):
        found.append(logged(run, "fenced", max(fenced.values(), key=lambda e: e.t_ns)))
    return [mark for mark in found if mark is not None]


def _silent(run: Run, hit: Victims) -> Mark | None:
    """The fault took effect on all its nodes, by the injector's own evidence. What is started again at once was dead
    before the injection was noted; a cut was made by then, and is seen once a connection fails."""
    windows = fault_windows(run)
    done_ns = int(windows.loc[windows["fault"] == hit.fault, "injected_ns"].max())
    steps = run.faults[(run.faults["fault"] == hit.fault) & (run.faults["step"] == "evidence")]
    seen_ns = int(steps.groupby("node", observed=True)["t_ns"].min().max()) if len(steps) else None
    if hit.at_once or (hit.on_network and seen_ns is not None):
        late_ns = 0 if hit.at_once or seen_ns is None else max(seen_ns - done_ns, 0)
        return Mark("silent", done_ns, "fault step 'injected'", done_ns - hit.intended_ns, late_ns)
    return Mark("silent", seen_ns, "fault step 'evidence'", seen_ns - hit.intended_ns) if seen_ns else None


def _healed(run: Run, hit: Victims) -> Mark | None:
    """All its nodes were healed; what is started again at once, when it was seen to run."""
    if hit.at_once:
        steps = run.faults[(run.faults["fault"] == hit.fault) & (run.faults["step"] == "evidence")]
        if steps.empty:
            return None
        t_ns = int(steps["t_ns"].max())
        return Mark("healed", t_ns, "fault step 'evidence'", early_ns=t_ns - hit.intended_ns)
    windows = fault_windows(run)
    healed = windows.loc[windows["fault"] == hit.fault, "healed_ns"]
    if not (healed > 0).all():
        return None
    t_ns = int(healed.max())
    steps = run.faults[(run.faults["fault"] == hit.fault) & (run.faults["step"] == "healing")]
    return Mark("healed", t_ns, "fault step 'healed'", early_ns=t_ns - int(steps["t_ns"].min()) if len(steps) else 0)


def _ends_session(run: Run, event: ControlEvent) -> bool:
    """Did the active controller fence a broker, or take in a restarted one once its session was over? A controller that
    was frozen goes on fencing until it hears of its successor."""
    active = [e for e in control_events(run) if e.kind == "active" and e.t_ns <= event.t_ns]
    return event.kind in ("fenced", "registered") and (not active or active[-1].node == event.node)


def was_controller(run: Run, hit: Victims) -> bool:
    """Was a victim the active controller? By the last that became it in the logs, else by what the injector noted."""
    active = [e for e in control_events(run) if e.kind == "active" and e.t_ns <= hit.intended_ns]
    if active:
        return active[-1].broker in hit.brokers
    told = victim_roles(run, hit.fault)
    return told.known and told.controller


def ends_in_order(run: Run, hit: Victims) -> bool:
    """Did a victim hand over, by the controller's log or by the kind of fault, and was it not fenced?"""
    later = [e for e in control_events(run) if e.t_ns > hit.intended_ns and e.broker in hit.brokers]
    if any(e.kind == "fenced" and _ends_session(run, e) for e in later):
        return False
    return hit.kind == "terminate" or hit.by_request or any(e.kind == "leaving" for e in later)


def ordered(marks: Sequence[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: mark.t_ns)
