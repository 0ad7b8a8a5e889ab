"""A set of runs, taken together: their quantities and conditions, and which runs were left out, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from factorylab.analysis.statistics.sample import Sample
from factorylab.audit.judged import JudgedRun
from factorylab.audit.kept_verdict import verdict_of
from factorylab.audit.model.verdict import Verdict
from factorylab.audit.sets import conditions
from factorylab.audit.sets.quantities import Value, quantities
from factorylab.core.errors import UsageError

Cell = Mapping[str, str]
Say = Callable[[str], None]
INVALID, NOT_FINISHED = "INVALID", "not finished"


@dataclass(frozen=True)
class Repetition:
    """One run that counts."""

    run_id: str
    title: str
    began_ns: int
    values: Mapping[str, Value]
    met: Mapping[str, str]


@dataclass(frozen=True)
class RunSet:
    """Runs of one cell, in the order of time; `left_out` says why by run id."""

    title: str
    cell: Cell
    runs: tuple[Repetition, ...]
    left_out: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The quantities that any of the runs has."""
        return list(dict.fromkeys(name for run in self.runs for name in run.values))

    def values(self, name: str) -> list[Value]:
        """A quantity in each run."""
        absent = Value(None, missing="not observed")
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
            words = [run.met.get(name, "not recorded") for run in self.runs]
            if len(set(words)) > 1:
                found[name] = {word: words.count(word) for word in sorted(set(words))}
        return found


def by_cell(runs: Iterable[JudgedRun], wanted: Mapping[str, str] | None = None, say: Say = print) -> list[RunSet]:
    """The runs with the `wanted` conditions, sorted into sets of one cell each; progress goes to `say`.

    Raises:
        UsageError, ScenarioError: no run has the conditions, or a run's scenario cannot be read.
    """
    found: dict[tuple[tuple[str, str], ...], tuple[str, list[Repetition], dict[str, str]]] = {}
    for run in runs:
        verdict = _verdict(run, say)
        counts = verdict is not None and verdict.verdict != INVALID
        has = conditions.met(run) if counts else {}
        if wanted and not conditions.fits(conditions.declared(run) | has, wanted):
            continue
        _, counted, left_out = found.setdefault(tuple(conditions.cell(run).items()), (run.scenario.title, [], {}))
        if verdict is not None and counts:
            values, began_ns = quantities(run, verdict), run.manifest.started_wall_ns
            counted.append(Repetition(run.folder.run_id, run.scenario.title, began_ns, values, has))
        else:
            left_out[run.folder.run_id] = INVALID if verdict else NOT_FINISHED
        run.release()
    if not found:
        raise UsageError(f"no run has {' and '.join(f'{k} {v}' for k, v in (wanted or {}).items()) or 'come so far'}")
    return [
        RunSet(title, dict(cell), tuple(sorted(counted, key=lambda run: run.began_ns)), left_out)
        for cell, (title, counted, left_out) in found.items()
    ]


def _verdict(run: JudgedRun, say: Say) -> Verdict | None:
    """None for a run that did not finish."""
    if not run.folder.sealed:
        return None
    say(f"judging {run.folder.path.name}")
    return verdict_of(run)
