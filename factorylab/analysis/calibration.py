"""How often predictions held: over many runs, by scenario, quantity and role."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import scipy

from factorylab.analysis.predicted import UNCOUNTED, kept_prediction, predicted
from factorylab.core.errors import LabError
from factorylab.history.run_folders import RunFolder
from factorylab.history.saved_run import Run

CONFIDENCE = 0.95
ENOUGH = 5
"""Of fewer values no spread is told."""
KEYS = ["scenario", "model", "fault", "victim", "quantity", "role", "low_s", "high_s"]
COLUMNS = [
    *KEYS, "runs", "invalid", "inside", "share", "share_low", "share_high", "not_observed", "width_s",
    "spread_s", "width_by_spread",
]  # fmt: skip


def with_prediction(folders: Iterable[RunFolder]) -> list[RunFolder]:
    """The finished runs that have one."""
    return [folder for folder in folders if folder.sealed and folder.prediction.is_file()]


def observations(
    folders: Iterable[RunFolder], judge: Callable[[RunFolder], str], say: Callable[[str], None] = lambda line: None
) -> pd.DataFrame:
    """The rows of `predicted` of these runs, with run, scenario, model, verdict (what `judge` says of the run) and
    fault as its kind and target. What cannot be read is said, and left out."""
    found = []
    for folder in folders:
        try:
            found.append(_of(Run(folder)).assign(verdict=judge(folder)))
        except LabError as error:
            say(f"{folder.path.name} is left out: {error}")
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _of(run: Run) -> pd.DataFrame:
    told = kept_prediction(run)
    rows = predicted(run, told)
    names = {f.fault: f"{f.kind} {f.target}" for f in told.faults} if told else {}
    return rows.assign(
        run=run.folder.run_id,
        scenario=run.scenario.name,
        model=told.model if told else 0,
        fault=rows["fault"].map(names),
    )


def calibration(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each scenario, fault, victim, quantity, role and predicted interval of `observations`: other settings
    give other intervals.

    runs: those in which it was observed, without those that are INVALID, which are counted apart; inside: how many of
    them lay within; share with its exact binomial interval (Clopper–Pearson, 95 %); width_s: that of the
    interval; spread_s: the range of the measured values that holds 95 % of them (below 5 values NaN); width_by_spread:
    how much wider the interval is.
    """
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    told = rows[~rows["outcome"].isin(UNCOUNTED)]
    groups = [(key, mine) for key, mine in told.groupby(KEYS, sort=True, dropna=False)]
    return pd.DataFrame([(*key, *_row(mine)) for key, mine in groups], columns=COLUMNS)


def _row(all_rows: pd.DataFrame) -> tuple[object, ...]:
    rows = all_rows[all_rows["verdict"] != "INVALID"]
    seen = rows[rows["outcome"].isin(["inside", "outside"])]
    inside = int((seen["outcome"] == "inside").sum())
    share = inside / len(seen) if len(seen) else float("nan")
    width = float((all_rows["high_s"] - all_rows["low_s"]).iloc[0])
    spread = _spread(seen.loc[~seen["censored"], "measured_s"])
    return (
        len(seen), len(all_rows) - len(rows), inside, share, *binomial(inside, len(seen)), len(rows) - len(seen),
        width, spread, width / spread if spread > 0 else float("nan"),
    )  # fmt: skip


def binomial(inside: int, n: int) -> tuple[float, float]:
    """The exact interval (Clopper–Pearson) of a share of `inside` of `n`; (0, 1) of none."""
    if not n:
        return 0.0, 1.0
    found = scipy.stats.binomtest(inside, n).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)


def _spread(values: pd.Series[float]) -> float:
    return float(np.ptp(np.quantile(values, [0.025, 0.975]))) if len(values) >= ENOUGH else float("nan")
