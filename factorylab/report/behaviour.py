"""The page of true behaviour: what people expect of Kafka, held against recorded campaigns.

Every number on it comes from a campaign's file. A fact without a run has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

from factorylab.analysis.statistics.sample import ENOUGH
from factorylab.audit.model.verdict import NOT_RECORDED
from factorylab.audit.sets.conditions import fits
from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.recorded import RecordedRun, conditions_of
from factorylab.audit.sets.run_set import RunSet, by_cell
from factorylab.audit.sets.summary import Row, marked, number, row, span
from factorylab.report.behaviour_facts import FACTS, Fact

VERSIONS = ("kafka", "confluent-kafka")
Runs = Callable[[str], list[RecordedRun]]
"""The recorded runs of a campaign by its name; none where it was never recorded."""
HEAD = """# True behaviour of Kafka

What people expect, and what was measured. `factorylab behaviour` makes this page from the recorded campaigns in
[`results/campaigns`](../results/campaigns); only the expectations were written by hand. How runs are recorded, and how
another version of Kafka is held against this one: [campaigns](comparing.md#campaigns) and [versions](versions.md).

*Measured* is the median, with least … most in brackets, of n runs; below five runs it is the values. `>` marks an end
that was not seen. *As expected* counts the runs in which the expectation was right. A row holds for its versions and
the lab's settings, on the host whose load stands under [evidence](#evidence).
"""
COLUMNS = ("", "situation", "people expect", "measured", "as expected", *VERSIONS, "what to set")


def page(runs: Runs, facts: Iterable[Fact] = FACTS) -> str:
    """The page as Markdown."""
    found = [(fact, list(_sets(fact, runs))) for fact in facts]
    measured = [(fact, one) for fact, sets in found for one in sets]
    lines = [HEAD, _table(COLUMNS, [_row(number, *pair) for number, pair in enumerate(measured, 1)])]
    lines += ["## Evidence", _table(EVIDENCE, [_evidence(number, *pair) for number, pair in enumerate(measured, 1)])]
    if missing := [fact for fact, sets in found if not sets]:
        lines += ["## Not measured yet", "\n".join(f"- {fact.situation} (`{fact.runs}`)" for fact in missing)]
    return "\n\n".join(line.strip("\n") for line in lines) + "\n"


def _sets(fact: Fact, runs: Runs) -> Iterator[RunSet]:
    """The runs of a fact in which its quantity was observed or should have been, by cell and versions."""
    fitting = [run for run in runs(fact.campaign) if fits(conditions_of(run), fact.where)]
    for one in by_cell(fitting) if fitting else []:
        for version in sorted({_versions(run.met) for run in one.runs}):
            yield replace(one, runs=tuple(run for run in one.runs if _versions(run.met) == version))


def _versions(met: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(met.get(name, NOT_RECORDED) for name in VERSIONS)


def _row(place: int, fact: Fact, one: RunSet) -> tuple[str, ...]:
    told = row(fact.quantity, one.values(fact.quantity), one.sample(fact.quantity))
    others = "".join(f"; {name} {word}" for name, word in one.unlike.items())
    return (
        str(place),
        fact.situation + others,
        fact.expected,
        _measured(told),
        f"{_as_expected(fact, told)} of {told.n}",
        *_versions(one.runs[0].met),
        fact.set_,
    )


def _measured(told: Row) -> str:
    """Median, range and n; below ENOUGH values each of them."""
    if not told.n:
        return f"not observed ({', '.join(f'{n} {why}' for why, n in told.missing.items())})"
    unit = known(told.quantity).unit
    each = ", ".join(map(marked, sorted(told.values)))
    middle = "not reached" if told.median is None else number(told.median)
    words = f"**{middle} {unit}** ({span(told)}), n = {told.n}"
    words = f"{each} {unit}, n = {told.n}" if told.n < ENOUGH else words
    return words + "".join(f", {n} {why}" for why, n in told.missing.items())


def _as_expected(fact: Fact, told: Row) -> int:
    """In how many runs the guess was right. A lower bound shows nothing of an upper end."""
    low, high = fact.guess
    return sum(low <= value <= high and (not censored or high == inf) for value, censored in told.values)


EVIDENCE = ("", "quantity", "campaign", "left out of the cell", "load of the host", "lab", "runs")


def _evidence(place: int, fact: Fact, one: RunSet) -> tuple[str, ...]:
    path = f"../results/campaigns/{fact.campaign}.jsonl"
    load = one.sample("host_load").values
    cores = sorted({run.met.get("host.cores", "?") for run in one.runs})
    busy = f"{number(load.min())} … {number(load.max())}" if len(load) else NOT_RECORDED
    return (
        str(place),
        f"`{fact.quantity}`",
        f"[{fact.campaign}]({path})",
        f"{len(one.left_out)} INVALID" if one.left_out else "none",
        f"{busy} on {', '.join(cores)} cores",
        ", ".join(sorted({run.met.get("commit", "unknown") for run in one.runs})),
        " ".join(run.run_id for run in one.runs),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
