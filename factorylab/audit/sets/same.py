"""The A/A check of a set of runs: does the comparison show differences where there are none?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from factorylab.analysis.statistics.alarms import Alarms, Observed, false_alarms
from factorylab.analysis.statistics.sample import CONFIDENCE, ENOUGH
from factorylab.audit.sets.run_set import RunSet
from factorylab.core.errors import UsageError


def check(found: RunSet, names: Iterable[str]) -> Alarms:
    """The check on the quantities of these names.

    Raises:
        UsageError: the runs are too few to be split, or differ in nothing.
    """
    if len(found.runs) < 2 * ENOUGH:
        raise UsageError(f"{found.title}: {len(found.runs)} runs count, an A/A check needs {2 * ENOUGH}: repeat")
    try:
        return false_alarms({name: _observed(found, name) for name in names})
    except ValueError as error:
        raise UsageError(f"{found.title}: {error}") from None


def _observed(found: RunSet, name: str) -> Observed:
    values = found.values(name)
    numbers = [np.nan if value.value is None else value.value for value in values]
    return Observed(np.array(numbers, dtype=float), np.array([value.censored for value in values], dtype=bool))


def told(found: Alarms) -> str:
    """The check in words."""
    share, allowed = found.alarms / found.splits, 1 - CONFIDENCE
    most = ", ".join(f"{name} {count}" for name, count in found.of.items() if count)
    lines = [
        f"A/A: {found.runs} runs, {len(found.of)} quantities.",
        f"At random: {found.alarms:,} of {found.splits:,} splits show a difference ({share:.1%}, allowed {allowed:.0%})"
        + (f": {most}" if most else ""),
        f"In the order of time: {_ordered('first half against second', found.halves)}; "
        f"{_ordered('every other run against the rest', found.turns)}",
        f"fit: {'yes' if found.fit else 'NO'}" + (f"; drifts: {', '.join(found.drifts)}" if found.drifts else ""),
    ]
    return "\n".join(lines)


def _ordered(what: str, found: object) -> str:
    assert isinstance(found, dict)
    name, p = min(found.items(), key=lambda item: item[1], default=("", 1.0))
    return f"{what} {'shows a difference' if p <= 1 - CONFIDENCE else 'shows none'} (least p: {name} {p:.2g})"
