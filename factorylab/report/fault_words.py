"""What was done to whom, in words, for titles and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from factorylab.audit.model.findings import Recovery
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.model import Fault, Scenario
from factorylab.scenarios.sides import sides
from factorylab.scenarios.targets import named


def done(scenario: Scenario, seen: Sequence[Recovery]) -> str:
    """The faults of a run as the beginning of a sentence: "Killing the leader of partition 0 (broker-2, for 13.9 s)".
    Who was hit, and for how long, comes from `seen`."""
    if not scenario.faults:
        return "Without a fault" if scenario.title == scenario.name else f"{scenario.title}, without a fault"
    acts = dict.fromkeys(
        _act(fault, [row for row in seen if row.fault == number]) for number, fault in enumerate(scenario.faults)
    )
    first, *others = acts
    return ", then ".join([first, *(act[0].lower() + act[1:] for act in others)])


def _act(fault: Fault, hit: Sequence[Recovery]) -> str:
    whom = named(fault.target)
    nodes = [name for name in sorted({row.node for row in hit}) if name not in whom]
    held = [f"for {_held(row.held_s for row in hit)} s"] if hit else []
    beside = ", ".join([*nodes, *held])
    doing = FAULT_KINDS[fault.kind].doing or f"{fault.kind} of {{}}"
    return doing.format(whom) + sides(fault) + (f" ({beside})" if beside else "")


def _held(seconds: Iterable[float]) -> str:
    """The shortest and the longest, as one number where they print the same."""
    ends = [f"{value:.1f}" for value in sorted(seconds)]
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]}–{ends[-1]}"
