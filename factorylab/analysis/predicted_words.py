"""Predictions as text, before and after: the same words on the command line, in notebooks and in the report."""

from __future__ import annotations

import math

import pandas as pd

from factorylab.analysis.predicted import NO_PREDICTION, predicted
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.prediction.structures import Prediction

COMPARED = ("quantity", "of", "fault", "predicted", "measured", "outcome", "because")


def expectations(prediction: Prediction | None) -> pd.DataFrame:
    """A row for each quantity of each case: fault, victim, quantity, of (which partitions), predicted and because (the
    formula, or why there is no prediction)."""
    rows = []
    for fault in prediction.faults if prediction else ():
        name = f"{fault.kind} {fault.target}"
        for case in fault.cases:
            rows += [
                (name, case.victim, q.name, q.role, interval_words(q.low_s, q.high_s), q.why_not or q.formula)
                for q in case.quantities
            ]
        if not fault.cases:
            rows.append((name, "", "any", "any", NO_PREDICTION, fault.why_not))
    return pd.DataFrame(rows, columns=["fault", "victim", "quantity", "of", "predicted", "because"])


def compared(run: Run) -> list[dict[str, str]]:
    """Predicted against measured, a row for each quantity; empty for a run without a prediction."""
    rows = []
    for row in each(predicted(run)):
        fault = f"{row.fault}, {row.victim}" if row.victim else str(row.fault)
        measured = "" if math.isnan(row.measured_s) else f"{'> ' if row.censored else ''}{row.measured_s:.2f} s"
        words = interval_words(row.low_s, row.high_s)
        rows.append(
            dict(zip(COMPARED, (row.quantity, row.role, fault, words, measured, row.outcome, row.why), strict=True))
        )
    return rows


def interval_words(low_s: float | None, high_s: float | None) -> str:
    """An interval in words; None and NaN: without a model, or without an end."""
    low, high = (math.nan if bound is None else bound for bound in (low_s, high_s))
    if math.isnan(low):
        return NO_PREDICTION
    return f"> {low:.1f} s, open-ended" if math.isnan(high) else f"{low:.1f}–{high:.1f} s"


def calibration_words(frame: pd.DataFrame) -> pd.DataFrame:
    """`calibration` as text: model, fault, victim, quantity, of, predicted, inside (of how many), share (its interval),
    width by spread, and what was left out."""
    rows = []
    for row in each(frame):
        left_out = [f"{n} {what}" for n, what in ((row.not_observed, "not observed"), (row.invalid, "INVALID")) if n]
        share = f"{row.share:.0%} ({row.share_low:.0%}–{row.share_high:.0%})" if row.runs else ""
        by_spread = "" if math.isnan(row.width_by_spread) else f"{row.width_by_spread:.1f}"
        words = interval_words(row.low_s, row.high_s)
        name = f"{row.scenario}: {row.fault}"
        inside = f"{row.inside} of {row.runs}"
        cells = (str(row.model), name, row.victim, row.quantity, row.role, words, inside, share, by_spread)
        rows.append((*cells, ", ".join(left_out)))
    columns = [
        "model", "fault", "victim", "quantity", "of", "predicted", "inside", "share", "width by spread", "left out",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def inside_by_model(frame: pd.DataFrame) -> str:
    """How many values of `calibration` lay inside, for each model by itself."""
    sums = frame.groupby("model")[["inside", "runs"]].sum()
    return "; ".join(f"model {row.Index}: {row.inside} of {row.runs} values" for row in sums.itertuples())
