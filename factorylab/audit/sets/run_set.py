"""A set of runs, taken together: their quantities and conditions, and which runs were left out, and why."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from factorylab.analysis.statistics.sample import Sample
from factorylab.audit.judged import JudgedRun
from factorylab.audit.kept_verdict import verdict_of
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED
from factorylab.audit.sets import conditions
from factorylab.audit.sets.quantities import INVALID, Value, quantities
from factorylab.audit.sets.recorded import AnyRun, RecordedRun
from factorylab.core.errors import ScenarioError, UsageError

Cell = Mapping[str, str]
Say = Callable[[str], None]
NOT_FINISHED = "not finished"


@dataclass(frozen=True)
class Repetition:
    """One run that counts."""

    run_id: str
    began_ns: int
    values: Mapping[str, Value]
    met: Mapping[str, str]


@dataclass(frozen=True)
class RunSet:
    """Runs of one cell, in the order of time; `left_out` says why by run id. `unlike` is what tells the cell from
    others of the same title that were named with it."""

    title: str
    cell: Cell
    runs: tuple[Repetition, ...]
    left_out: Mapping[str, str]
    unlike: Mapping[str, str] = field(default_factory=dict)

    def values(self, name: str) -> list[Value]:
        """A quantity in each run."""
        absent = Value(None, missing=NOT_OBSERVED)
        return [run.values.get(name, absent) for run in self.runs]

    def sample(self, name: str) -> Sample:
        """A quantity in the runs in which it was observed."""
        seen = [(v.value, v.censored) for v in self.values(name) if v.value is not None]
        return Sample.of((value for value, _ in seen), (censored for _, censored in seen))

    @cached_property
    def varies(self) -> dict[str, dict[str, int]]:
        """Conditions that nobody declared and that differ between the runs: how many runs had which."""
        found: dict[str, dict[str, int]] = {}
        for name in dict.fromkeys(name for run in self.runs for name in run.met):
            words = [run.met.get(name, NOT_RECORDED) for run in self.runs]
            if len(set(words)) > 1:
                found[name] = {word: words.count(word) for word in sorted(set(words))}
        return found


def by_cell(runs: Iterable[AnyRun], wanted: Mapping[str, str] | None = None, say: Say | None = None) -> list[RunSet]:
    """The runs with the `wanted` conditions, sorted into sets of one cell each. Progress goes to `say`. What of a run
    cannot be read goes there as well, or is a warning. A run that is named twice, as a folder and as recorded, counts
    once.

    Raises:
        UsageError: no run has the conditions.
    """
    found: dict[tuple[tuple[str, str], ...], list[tuple[str, str, Repetition | str]]] = {}
    known: set[str] = set()
    for run in runs:
        try:
            name, title, declared = _named(run)
            if name not in known and (taken := _taken(run, declared, wanted or {}, say)) is not None:
                known.add(name)
                member = (name.rpartition("-")[2], title, taken)
                found.setdefault(tuple(conditions.of_cell(declared).items()), []).append(member)
        except ScenarioError as error:
            (say or warnings.warn)(f"left out: {error}")
        if isinstance(run, JudgedRun):
            run.release()
    if not found:
        words = " and ".join(f"{name} {word}" for name, word in (wanted or {}).items())
        raise UsageError(f"no run has {words}" if words else "no run can be read")
    sets = [_set(dict(key), members) for key, members in found.items()]
    return [
        replace(one, unlike=_unlike(one, [other.cell for other in sets if other.title == one.title])) for one in sets
    ]


def told_apart(unlike: Cell) -> str:
    """What tells a cell from others of its title, in words."""
    return ", ".join(f"{name} {word}" for name, word in unlike.items())


def _unlike(one: RunSet, cells: list[Cell]) -> Cell:
    """What of its cell is not the same in all of these."""
    return {name: word for name, word in one.cell.items() if any(other.get(name) != word for other in cells)}


def _set(cell: Cell, members: list[tuple[str, str, Repetition | str]]) -> RunSet:
    counted = sorted((one for _, _, one in members if isinstance(one, Repetition)), key=lambda run: run.began_ns)
    left_out = {run_id: why for run_id, _, why in members if isinstance(why, str)}
    return RunSet(members[0][1], cell, tuple(counted), left_out)


def _named(run: AnyRun) -> tuple[str, str, Cell]:
    """The name of its folder, its title, and what was declared."""
    if isinstance(run, RecordedRun):
        return run.name, run.title, run.declared
    return run.folder.path.name, run.scenario.title, conditions.declared(run)


def _taken(run: AnyRun, declared: Cell, wanted: Mapping[str, str], say: Say | None) -> Repetition | str | None:
    """The run as one that counts, or why it is left out; None where it has not the conditions. What was declared is
    looked at first: to judge a run takes a second."""
    if not conditions.fits(declared, conditions.among(declared, wanted)):
        return None
    found = _recorded(run) if isinstance(run, RecordedRun) else _judged(run, say)
    has = {} if isinstance(found, str) else found.met  # of what does not count nobody knows what it met
    return found if conditions.fits({**declared, **has}, wanted) else None


def _recorded(run: RecordedRun) -> Repetition | str:
    return INVALID if run.invalid else Repetition(run.run_id, run.row.began_wall_ns, run.values, run.row.met)


def _judged(run: JudgedRun, say: Say | None) -> Repetition | str:
    if not run.folder.sealed:
        return NOT_FINISHED
    if say:
        say(f"judging {run.folder.path.name}")
    verdict = verdict_of(run)
    if verdict.verdict == INVALID:
        return INVALID
    values = quantities(run, verdict)
    return Repetition(run.folder.run_id, run.manifest.started_wall_ns, values, conditions.met(run))
