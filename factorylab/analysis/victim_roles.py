"""Which roles the victim of a fault really had: what the cluster told just before the injection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from factorylab.core.vocabulary import CONTROLS, COORDINATES
from factorylab.history.saved_run import Run

_DID = re.compile(r"\b(leads|follows|owns) (p\d+(?:, p\d+)*)")
_STALE = "from before: "


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
    known = not any(_STALE in words for words in told)
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
