"""What the repetitions of one experiment say of each quantity: numbers for programs, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import pandas as pd

from factorylab.analysis.statistics.location import median, median_interval, restricted_mean
from factorylab.analysis.statistics.sample import ENOUGH, Interval, Sample
from factorylab.audit.sets.quantities import INVALID, QUANTITIES, Value, known
from factorylab.audit.sets.run_set import RunSet, told_apart


class Bounds(msgspec.Struct, frozen=True):
    """An interval; None at an end that was not reached. `exact`: its confidence is, or is more; else nominal."""

    low: float | None
    high: float | None
    confidence: float
    exact: bool

    @classmethod
    def of(cls, interval: Interval | None) -> Bounds | None:
        if interval is None:
            return None
        return cls(finite(interval.low), finite(interval.high), interval.confidence, interval.exact)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity in the runs of one cell. `n` runs observed it, `censored` of them as a lower bound; `missing` says
    why, and how many, others did not. `median` is None where it was not reached; the range is that of the values.

    With censored values also `mean`, restricted to `until`, and its standard error `mean_error`. `values` are in the
    order of time; each has its censoring beside it.
    """

    quantity: str
    unit: str
    n: int
    censored: int
    missing: dict[str, int]
    median: float | None = None
    interval: Bounds | None = None
    least: float | None = None
    most: float | None = None
    mean: float | None = None
    mean_error: float | None = None
    until: float | None = None
    values: list[tuple[float, bool]] = []


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: `runs` that count, and how many were left out as INVALID or not finished. `unlike`: what tells it from
    others of the same title that were named with it."""

    title: str
    unlike: dict[str, str]
    cell: dict[str, str]
    runs: list[str]
    invalid: list[str]
    not_finished: list[str]
    conditions: dict[str, dict[str, str]]
    varies: dict[str, dict[str, int]]
    rows: list[Row]


def summary(found: RunSet, names: Iterable[str]) -> Summary:
    """The quantities of these names.

    Raises:
        UsageError: there is no quantity of a name.
    """
    return Summary(
        title=found.title,
        unlike=dict(found.unlike),
        cell=dict(found.cell),
        runs=[run.run_id for run in found.runs],
        invalid=[run for run, why in found.left_out.items() if why == INVALID],
        not_finished=[run for run, why in found.left_out.items() if why != INVALID],
        conditions={run.run_id: dict(run.met) for run in found.runs},
        varies=found.varies,
        rows=[row(name, found.values(name), found.sample(name)) for name in names],
    )


def row(name: str, values: list[Value], sample: Sample) -> Row:
    """One quantity; `sample` are those of the `values` that were observed."""
    missing = [value.missing for value in values if value.value is None]
    told = Row(
        quantity=name,
        unit=known(name).unit,
        n=len(sample),
        censored=int(sample.censored.sum()),
        missing={why: missing.count(why) for why in dict.fromkeys(missing)},
    )
    if not len(sample):
        return told
    told = msgspec.structs.replace(
        told,
        median=finite(median(sample)),
        interval=Bounds.of(median_interval(sample)),
        least=float(sample.values.min()),
        most=float(sample.values.max()),
        values=list(zip(sample.values.tolist(), sample.censored.tolist(), strict=True)),
    )
    if not sample.any_censored or len(sample) < ENOUGH:
        return told
    mean = restricted_mean(sample, float(sample.values.max()))
    return msgspec.structs.replace(told, mean=mean.mean, mean_error=mean.error, until=mean.until)


def finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def default_names(sets: Iterable[RunSet], every: bool = False) -> list[str]:
    """The quantities that are shown unless others are asked for: those that any run observed, without their parts."""
    seen = {
        name for found in sets for run in found.runs for name, value in run.values.items() if value.value is not None
    }
    return [q.name for q in QUANTITIES if q.name in seen and (q.shown or every)]


def table(told: Summary) -> str:
    """One cell as text."""
    rows = [pd.DataFrame(words(told)).to_string(index=False)] if told.rows else []
    return "\n".join([headline(told), *varies(told.varies), *rows])


def headline(told: Summary) -> str:
    """How many runs count, and how many do not."""
    left = [f"{len(told.invalid)} INVALID left out"] if told.invalid else []
    left += [f"{len(told.not_finished)} not finished"] if told.not_finished else []
    count = f"{len(told.runs)} run{'s' if len(told.runs) != 1 else ''}"
    unlike = f" ({told_apart(told.unlike)})" * bool(told.unlike)
    return ", ".join([f"{told.title}{unlike}: {count}", *left])


def varies(found: dict[str, dict[str, int]]) -> list[str]:
    """Conditions that differ between the runs, one line each."""
    return [f"  {name}: {', '.join(f'{word} ({n})' for word, n in words.items())}" for name, words in found.items()]


def words(told: Summary) -> list[dict[str, str]]:
    """One row a quantity, as text under its headings."""
    censored = any(row.mean is not None for row in told.rows)
    return [_words(row) | ({"restricted mean": _mean(row)} if censored else {}) for row in told.rows]


def _words(row: Row) -> dict[str, str]:
    return {
        "quantity": row.quantity,
        "unit": row.unit,
        "n": str(row.n),
        "median": "–" if not row.n else "not reached" if row.median is None else number(row.median),
        "interval": _interval(row),
        "range": span(row) if row.values else "–",
        "censored": str(row.censored),
        "not observed": ", ".join(f"{n} {why}" for why, n in row.missing.items()) or "0",
    }


def _mean(row: Row) -> str:
    if row.mean is None or row.mean_error is None or row.until is None:
        return "–"
    return f"{number(row.mean)} ± {number(row.mean_error)} (up to {number(row.until)})"


def _interval(row: Row) -> str:
    """The interval with its confidence; below ENOUGH values these themselves."""
    if row.interval is None:
        return ", ".join(map(marked, row.values)) or "–"
    return bounds(row.interval)


def span(row: Row) -> str:
    """The least and the most of its values."""
    return f"{marked(min(row.values))} … {marked(max(row.values))}"


def marked(value: tuple[float, bool]) -> str:
    """A value, with the mark of a lower bound where it is censored."""
    return f"{'> ' * value[1]}{number(value[0])}"


def bounds(interval: Bounds) -> str:
    """An interval in words, with its confidence."""
    low, high = (("∞" if end is None else number(end)) for end in (interval.low, interval.high))
    return f"{low} … {high} ({'' if interval.exact else '≈ '}{interval.confidence:.1%})"


def number(value: float) -> str:
    """Whole where it is large, else to the millisecond."""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.3f}"
