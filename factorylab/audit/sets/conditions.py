"""Under which conditions a run was made, as flat words: what was declared, what it ran on, whom its faults hit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from factorylab.analysis.victim_roles import roles_by_node
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.model import Scenario

NOT_OF_THE_CELL = ("workload.seed", "objectives.", "expect")
"""What of a scenario changes nothing about how a run goes, or is to differ between repetitions."""


def declared(run: Run) -> dict[str, str]:
    """The scenario in words, by dotted names: "faults.0.target", "workload.rate_per_s", …"""
    return in_words(declared_values(run.scenario))


def declared_values(scenario: Scenario) -> dict[str, object]:
    """The same as values: numbers, texts, truth values, None, and lists as texts."""
    return dict(_flat(scenario.model_dump(mode="json")))


def in_words(declared: Mapping[str, object]) -> dict[str, str]:
    """The values in words."""
    return {name: str(value) for name, value in declared.items()}


def cell(run: Run) -> dict[str, str]:
    """What repetitions of one experiment have in common: all that was declared but seed, objectives and expectation."""
    return of_cell(declared(run))


def of_cell(declared: Mapping[str, str]) -> dict[str, str]:
    """The same of what `declared` gave."""
    return {name: word for name, word in declared.items() if not name.startswith(NOT_OF_THE_CELL)}


def met(run: Run) -> dict[str, str]:
    """What a run found, which nobody declared: versions, host, and the roles of the victims at injection
    ("faults.0.roles", of several nodes joined by " | ")."""
    made = run.manifest
    found = {"backend": made.backend, "commit": made.commit, "host.cores": str(made.host.cores)}
    found |= {"host.system": made.host.system} | made.versions
    by_fault: dict[int, list[str]] = {}
    for victim in each(roles_by_node(run)):
        by_fault.setdefault(int(victim.fault), []).append(victim.roles)
    return found | {f"faults.{fault}.roles": " | ".join(sorted(roles)) for fault, roles in by_fault.items()}


def fits(conditions: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a run has these conditions; a name may be the end of the dotted one.

    Raises:
        UsageError: a name may be several conditions.
    """
    return all(conditions.get(_whole_name(conditions, name)) == word for name, word in wanted.items())


def among(conditions: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Those that are wanted whose names are among the conditions."""
    return {name: word for name, word in wanted.items() if _whole_name(conditions, name) in conditions}


def _whole_name(conditions: Mapping[str, str], name: str) -> str:
    found = [known for known in conditions if known.endswith(f".{name}")]
    if name not in conditions and len(found) > 1:
        raise UsageError(f"@{name} may be {', '.join(found)}: write one of them whole")
    return found[0] if name not in conditions and found else name


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        items = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        yield name, str(value) if isinstance(value, list) else value
        return
    for key, inner in items:
        yield from _flat(inner, f"{name}.{key}" if name else key)
