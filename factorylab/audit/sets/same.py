"""The A/A check of a set of runs: does the comparison show differences where there are none?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from factorylab.analysis.statistics.alarms import Observed, false_alarms
from factorylab.analysis.statistics.sample import CONFIDENCE, ENOUGH
from factorylab.audit.sets.run_set import RunSet
from factorylab.core.errors import UsageError


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Of `splits` at random `alarms` showed a difference in any quantity, `of` says how many in which. `halves` and
    `turns`: corrected p of each quantity, first half against second, every other run against the rest. `drifts` are the
    quantities that differ so, and `fit`: there is none, and no more alarms than chance gives."""

    title: str
    runs: int
    splits: int
    alarms: int
    of: dict[str, int]
    halves: dict[str, float]
    turns: dict[str, float]
    drifts: list[str]
    fit: bool


def check(found: RunSet, names: Iterable[str]) -> Checked:
    """The check on the quantities of these names.

    Raises:
        UsageError: the runs are too few to be split, or differ in nothing.
    """
    if len(found.runs) < 2 * ENOUGH:
        raise UsageError(f"{found.title}: {len(found.runs)} runs count, an A/A check needs {2 * ENOUGH}: repeat")
    try:
        seen = false_alarms({name: _observed(found, name) for name in names})
    except ValueError as error:
        raise UsageError(f"{found.title}: {error}") from None
    return Checked(
        title=found.title,
        runs=seen.runs,
        splits=seen.splits,
        alarms=seen.alarms,
        of=dict(seen.of),
        halves=dict(seen.halves),
        turns=dict(seen.turns),
        drifts=seen.drifts,
        fit=seen.fit,
    )


def _observed(found: RunSet, name: str) -> Observed:
    values = found.values(name)
    numbers = [np.nan if value.value is None else value.value for value in values]
    return Observed(np.array(numbers, dtype=float), np.array([value.censored for value in values], dtype=bool))


def told(found: Checked) -> str:
    """The check in words."""
    most = ", ".join(f"{name} {count:,}" for name, count in found.of.items() if count)
    share = f"{found.alarms / found.splits:.1%}, at most {1 - CONFIDENCE:.0%} and what chance adds are allowed"
    return "\n".join(
        [
            f"{found.title}: {found.runs} runs, {len(found.of)} quantities",
            f"  split at random: {found.alarms:,} of {found.splits:,} splits show a difference ({share})",
            *([f"  in {most}"] if most else []),
            f"  first half against second: {_least(found.halves)}",
            f"  every other run against the rest: {_least(found.turns)}",
            "  fit" if found.fit else f"  NOT fit{': ' * bool(found.drifts)}{', '.join(found.drifts)}",
        ]
    )


def _least(p: Mapping[str, float]) -> str:
    name = min(p, key=lambda one: p[one], default="")
    what = "a difference is shown" if name and p[name] <= 1 - CONFIDENCE else "no difference is shown"
    return f"{what} (least corrected p {p[name]:.2g}, {name})" if name else what
