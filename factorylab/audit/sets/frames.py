"""Sets of runs as frames for notebooks: numbers, with NaN for what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from factorylab.audit.kept_verdict import verdict_of
from factorylab.audit.sets.compare import Compared, Comparison
from factorylab.audit.sets.conditions import declared_values, met
from factorylab.audit.sets.quantities import INVALID, Value, known, quantities
from factorylab.audit.sets.recorded import AnyRun, RecordedRun
from factorylab.audit.sets.run_set import told_apart
from factorylab.audit.sets.summary import Bounds, Row, Summary


def quantities_of(runs: Iterable[AnyRun]) -> pd.DataFrame:
    """One row for each run and quantity: run (its id), title, quantity, unit, value, censored (the truth is at least
    the value), missing (why there is no value, and "" where there is one). The values of an INVALID run are missing:
    it is evidence of nothing.
    """
    columns = ["run", "title", "quantity", "unit", "value", "censored", "missing"]
    return pd.DataFrame([row for run in runs for row in _measured(run)], columns=columns)


def _measured(run: AnyRun) -> Iterator[tuple[object, ...]]:
    run_id, title, invalid, values = _values(run)
    for name, value in values.items():
        told = Value(None, missing=INVALID) if invalid else value
        yield run_id, title, name, known(name).unit, _nan(told.value), told.censored, told.missing


def _values(run: AnyRun) -> tuple[str, str, bool, Mapping[str, Value]]:
    """Its id and title, whether it is INVALID, and its quantities."""
    if isinstance(run, RecordedRun):
        return run.run_id, run.title, run.invalid, run.values
    verdict = verdict_of(run)
    return run.folder.run_id, run.scenario.title, verdict.verdict == INVALID, quantities(run, verdict)


def conditions_of(runs: Iterable[AnyRun]) -> pd.DataFrame:
    """One row a run, by its id; one column for each condition, declared ("workload.rate_per_s") or met
    ("faults.0.roles"). What was declared as a number is one; NaN where a run has no such condition."""
    rows = dict(map(_conditions, runs))
    return pd.DataFrame.from_dict(rows, orient="index").infer_objects().rename_axis("run")


def _conditions(run: AnyRun) -> tuple[str, dict[str, object]]:
    if isinstance(run, RecordedRun):
        return run.run_id, {**run.declared_values, **run.row.met}
    return run.folder.run_id, {**declared_values(run.scenario), **met(run)}


def summary_frame(told: Iterable[Summary]) -> pd.DataFrame:
    """One row for each cell and quantity: title, cell (what tells it from others of this title), quantity, unit, runs,
    invalid, n, censored, median, low and high of its interval with confidence, least, most, mean (restricted to until)
    and mean_error."""
    return pd.DataFrame([_summed(one, row) for one in told for row in one.rows])


def _summed(one: Summary, row: Row) -> dict[str, object]:
    return {
        **{"title": one.title, "cell": told_apart(one.unlike)},
        **{"quantity": row.quantity, "unit": row.unit},
        **{"runs": len(one.runs), "invalid": len(one.invalid), "n": row.n, "censored": row.censored},
        **{"median": _nan(row.median), **_bounds(row.interval), "least": _nan(row.least), "most": _nan(row.most)},
        **{"mean": _nan(row.mean), "mean_error": _nan(row.mean_error), "until": _nan(row.until)},
    }


def comparison_frame(found: Comparison) -> pd.DataFrame:
    """One row a quantity: quantity, unit, n_a, n_b, median_a, median_b, answer, difference (B − A) with low, high and
    confidence, ratio (B ÷ A) with ratio_low, ratio_high and ratio_confidence, until, p, p_corrected, p_same."""
    return pd.DataFrame([_held(row) for row in found.rows])


def _held(row: Compared) -> dict[str, object]:
    return {
        **{"quantity": row.quantity, "unit": row.a.unit, "n_a": row.a.n, "n_b": row.b.n},
        **{"median_a": _nan(row.a.median), "median_b": _nan(row.b.median), "answer": row.answer},
        **{"difference": _nan(row.difference), **_bounds(row.interval)},
        **{"ratio": _nan(row.ratio), **_bounds(row.ratio_interval, "ratio_")},
        **{"until": _nan(row.until), "p": _nan(row.p)},
        **{"p_corrected": _nan(row.p_corrected), "p_same": _nan(row.p_same)},
    }


def _bounds(interval: Bounds | None, of: str = "") -> dict[str, float]:
    """An end that was not reached is infinite; no interval is NaN."""
    names = [f"{of}{name}" for name in ("low", "high", "confidence")]
    if interval is None:
        return dict.fromkeys(names, np.nan)
    low = -np.inf if interval.low is None else interval.low
    high = np.inf if interval.high is None else interval.high
    return dict(zip(names, (low, high, interval.confidence), strict=True))


def _nan(value: float | None) -> float:
    return np.nan if value is None else float(value)
