"""The scenario of a program of the user's: how it is fed, and what is broken while it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factorylab.core.errors import UsageError
from factorylab.core.limits import Count, Number, Rate, Whole
from factorylab.scenarios.model import Clients, Expect, Fault, Profile, Scenario, Schedule, Topology, Workload
from factorylab.scenarios.subject import Subject

COMMAND = ("{python}", "{checkout}/experiments/subjects/commit_before_write_repaired.py")
FAULTS = ("kill processor:0", "kill processor:0", "kill leader:0")
"""What is broken where nobody says anything else: the program twice, then a broker."""
APART_S = 12.0  # between the beginnings of two faults: twice a session of 6 s, and what was missed is worked off
HOLD_S = {"processor": 2.0}
HOLD_OTHERS_S = 8.0
"""How long a fault is held: a program comes back soon, as its restart policy has it; a broker as after a boot."""


def your_application(
    *,
    command: Sequence[str] = COMMAND,
    subject: Mapping[str, Any] | None = None,
    instances: Whole = 1,
    faults: Sequence[str] = FAULTS,
    session_timeout_s: Number | None = None,
    rate_per_s: Rate = 100,
    profile: Profile = "safe",
    seed: Count = 1,
    expect: Expect = "pass",
) -> Scenario:
    """A program of yours in the place of the processors, while it and what it hangs on are broken. `subject` has the
    other keys that it has in a scenario: what it is fed, and where its output is read."""
    return Scenario(
        name="your_application",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, sensors=30, seed=seed),
        clients=Clients(
            processor="subject",
            processors=instances,
            session_timeout_s=session_timeout_s,
            compression="none",  # every client reads it: kafkajs lacks LZ4, Snappy and Zstandard
        ),
        subject=Subject.model_validate({**(subject or {}), "command": tuple(command)}),
        faults=tuple(_fault(number, text) for number, text in enumerate(faults)),
        schedule=Schedule(steady_s=6),
        expect=expect,
    )


def _fault(number: int, text: str) -> Fault:
    """The fault of "kill processor:0", in its turn.

    Raises:
        UsageError: it is not a kind and a target.
    """
    kind, _, target = text.strip().partition(" ")
    if not target:
        raise UsageError(f"fault {text!r}: write a kind and a target, as in 'kill processor:0' or 'pause leader:0'")
    hold_s = HOLD_S.get(target.partition(":")[0], HOLD_OTHERS_S)
    return Fault.model_validate({"kind": kind, "target": target.strip(), "at_s": number * APART_S, "hold_s": hold_s})
