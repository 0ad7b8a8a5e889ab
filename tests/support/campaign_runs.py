"""Handmade runs of a campaign's file: what was declared, and quantities as numbers."""

from __future__ import annotations

from itertools import count

from factorylab.audit.sets.recorded import RecordedRun
from factorylab.history.campaign_file import Experiment, RunRow
from factorylab.scenarios.model import scenario_from

_NUMBERS = count(1)
KILLED = ({"kind": "kill", "target": "leader:0"},)
FROZEN_FIRST = (
    {"kind": "kill", "target": "leader:0", "at_s": 3},
    {"kind": "pause", "target": "followers:0", "hold_s": 8},
)


def campaign_run(
    acks: str = "all",
    profile: str = "safe",
    faults: tuple[dict[str, object], ...] = KILLED,
    rate_per_s: int = 2_000,
    valid: bool = True,
    censored: bool = False,
    **values: float,
) -> RecordedRun:
    """One run; what of `values` is censored is all or nothing, and an INVALID run has none."""
    number = next(_NUMBERS)
    declared = {
        "name": "loss",
        "topology": {"profile": profile},
        "clients": {"acks": acks},
        "workload": {"rate_per_s": rate_per_s},
        "faults": list(faults),
    }
    made = Experiment.of(scenario_from(declared, "test"))
    row = RunRow(
        run=f"20260101T000000Z-{number:06x}",
        experiment=made.experiment,
        began_wall_ns=number,
        verdict="PASS" if valid else "INVALID",
        values=values if valid else {},
        censored=list(values) if censored else [],
        missing={"not asked": ["unreadable"]} if acks == "0" else {},
    )
    return RecordedRun(made, row)
