"""The times of faults: held as long as declared, and noted twice."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from factorylab.audit.checks.cut_evidence import step_ns
from factorylab.audit.checks.impossible import Impossible, found
from factorylab.audit.checks.noted_events import unlike_events
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import NS
from factorylab.history.saved_run import each

HELD_S = 2.0
"""A fault may be undone so much later than declared, and later by as long as the runner was busy with faults."""
BUSY = (("intended", "evidence"), ("healing", "healed"))


@check(
    "Each fault was held for its declared time, and the store holds the same notes of it.", "do not fit", "INVALID",
    of_times=True,
)  # fmt: skip
def fault_times(e: Evidence) -> Found:
    cases = [Impossible(1, words, ("faults",)) for words in (*_held(e), *_noted_otherwise(e))]
    return found(cases, len(e.run.faults))


def _held(e: Evidence) -> Iterator[str]:
    """Faults that were undone before their time, or held for longer than declared. How late the injection came shows in
    the table, so that the healing is never early; the runner does one thing after the other, so that it may be late.
    Where a step or a successor is waited for, all later moments move."""
    opened, busy_ns, waited = e.run.phases.get("fault_window", e.run.t0_ns), _busy_ns(e), False
    for w in each(e.fault_windows):
        fault = e.run.scenario.faults[w.fault] if w.fault < len(e.run.scenario.faults) else None
        undone_ns = step_ns(e.run, w, "healing", -1)
        waited |= fault is not None and (fault.step is not None or fault.until_replaced)
        if fault is None or undone_ns < 0:
            continue
        early_s = (opened - undone_ns) / NS + fault.at_s + fault.hold_s
        late_s = (undone_ns - w.injected_ns - busy_ns) / NS - fault.hold_s - HELD_S
        if early_s > 0:
            yield f"of fault {w.fault} on {w.node}, which was undone {early_s:.1f} s before its time"
        if late_s > 0 and not waited:
            held_s = (undone_ns - w.injected_ns) / NS
            yield f"of fault {w.fault} on {w.node}, which was held for {held_s:.1f} s of {fault.hold_s:g}"


def _busy_ns(e: Evidence) -> int:
    """How long the runner injected, looked for evidence, and healed."""
    at: dict[tuple[int, str], list[int]] = {}
    for step in each(e.run.faults):
        at.setdefault((step.fault, step.step), []).append(step.t_ns)
    spans = (
        max(at[number, ends]) - min(at[number, begins])
        for number in {number for number, _ in at}
        for begins, ends in BUSY
        if (number, begins) in at and (number, ends) in at
    )
    return sum(max(span, 0) for span in spans)


def _noted_otherwise(e: Evidence) -> Iterator[str]:
    ours = [(f.t_ns, f"{f.kind} {f.target} on {f.node}: {f.step} {f.evidence}") for f in each(e.run.faults)]
    noted = e.run.events.astype({"event": str, "detail": str})
    theirs = []
    for note in each(noted[noted["event"].str.startswith("fault_")]):
        said, step = msgspec.json.decode(note.detail), note.event.removeprefix("fault_")
        what = f"{said.get('fault')} {said.get('target')} on {said.get('node')}: {step} {said.get('evidence')}"
        theirs.append((note.t_ns, what))
    yield from unlike_events(e, ours, theirs)
