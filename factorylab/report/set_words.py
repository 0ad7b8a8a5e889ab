"""What the runs of a set say together: a row of the first table, a sentence, and which run stands for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import EXPECTED
from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.recorded import AnyRun
from factorylab.audit.sets.run_set import RunSet, by_cell, told_apart
from factorylab.audit.sets.summary import number, row, span
from factorylab.report.answer_words import Answer, answer

COLUMNS = {
    "due": "due", "not offered": "not_offered", "offered": "offered", "acked": "acknowledged", "lost": "lost",
    "duplicated": "duplicated", "shed": "shed", "offered − stored": "unstored", "recovery": "recovery",
    "blind": "blind", "longest ack gap": "ack_gap", "p99": "latency_p99", "stored/s": "stored_per_s",
}  # fmt: skip
"""The quantity of each of `audit.model.verdict.numbers`."""
TOLD = ("lost", "duplicated", "acks_stalled", "stores_stalled", "recovery", "blind", "latency_p99", "kept_per_s")
TYPICAL = ("recovery", "latency_p99")


@dataclass(frozen=True)
class Together:
    """A set of several runs, the run that stands for it, and all of its runs that were to be shown."""

    runs: RunSet
    shown: JudgedRun
    asked: Sequence[JudgedRun]

    @property
    def verdicts(self) -> str:
        """Of the runs that were to be shown."""
        found = Counter(run.verdict.verdict for run in self.asked)
        return ", ".join(f"{n} {word}" for word, n in found.items())

    @property
    def met(self) -> str:
        good = sum(run.verdict.met for run in self.asked)
        return f"{good} of {len(self.asked)} {EXPECTED[True]}"

    @property
    def each(self) -> list[str]:
        """A line for each run that was to be shown; one that did not end as declared says what it answers."""
        said = {run: "" if run.verdict.met else f": {answer(run)}" for run in self.asked}
        return [
            f"{run.folder.run_id} {run.verdict.verdict}, {EXPECTED[run.verdict.met]}{more}"
            for run, more in said.items()
        ]

    @property
    def numbers(self) -> dict[str, str]:
        return {column: spread(self.runs, name) for column, name in COLUMNS.items()}

    @property
    def sentence(self) -> str:
        return sentence(self.runs)

    @property
    def chosen_by(self) -> str:
        """Why this run is the one that is shown."""
        name = typical(self.runs)
        return f"the run whose {name} is nearest to the median" if name else "the latest run"


def answers(runs: Iterable[AnyRun], *names: str) -> Answer:
    """What several runs answer, a sentence for each scenario with its parameters; `names` are the quantities that are
    asked for.

    Raises:
        UsageError: there is no run, or no quantity of a name.
    """
    told = [f"{_title(one)}: {sentence(one, names or TOLD)}" for one in by_cell(runs)]
    return Answer(tuple(told), between="\n\n")


def _title(one: RunSet) -> str:
    unlike = {name.rpartition(".")[2]: word for name, word in one.unlike.items()}
    return one.title + (f" ({told_apart(unlike)})" if unlike else "")


def sentence(runs: RunSet, names: Sequence[str] = TOLD) -> str:
    """The median of each quantity that was observed, with the least and the most."""
    left = f", {len(runs.left_out)} left out" if runs.left_out else ""
    told = [f"{name} {spread(runs, name)}" for name in names if known(name) and len(runs.sample(name))]
    count = f"1 run{left}" if len(runs.runs) == 1 else f"{len(runs.runs)} runs{left}; median (least … most)"
    return f"{count}: {'; '.join(told) or 'none of it was observed'}."


def spread(runs: RunSet, name: str) -> str:
    """As "12.4 s (11.2 … > 14.0), n = 5"; the value alone where all are the same; "–" where none observed it."""
    told, unit = row(name, runs.values(name), runs.sample(name)), known(name).unit
    if not told.n:
        return "–"
    unit = f" {unit}" if unit == "s" else ""
    count = f", n = {told.n}" if told.n < len(runs.runs) else ""
    if len(set(told.values)) == 1 and not told.censored:
        return f"{number(told.values[0][0])}{unit}{count}"
    middle = "not reached" if told.median is None else f"{number(told.median)}{unit}"
    return f"{middle} ({span(told)}){count}"


def typical(runs: RunSet) -> str:
    """The quantity by which a run stands for the others; "" where none was observed."""
    return next((name for name in TYPICAL if len(runs.sample(name))), "")


def together(runs: RunSet, shown: Sequence[JudgedRun]) -> Together:
    """Of the runs of a set that are to be shown, the one nearest to the median of all."""
    name = typical(runs)
    values = {run.run_id: run.values[name].value for run in runs.runs if name in run.values}
    middle = row(name, runs.values(name), runs.sample(name)).median if name else None

    def distance(run: JudgedRun) -> float:
        value = values.get(run.folder.run_id)
        return float("inf") if value is None or middle is None else abs(value - middle)

    return Together(runs, min(reversed(shown), key=distance), shown)
