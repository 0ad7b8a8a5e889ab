"""Numbers of lifelines, to hold those of `analysis.statistics` against.

    python -m tests.measure.survival_numbers > tests/support/survival.json

It needs an environment with lifelines, no dependency of the lab. Samples are of Weibull's distribution, cut off
at a common time, and in part also censored at random.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import lifelines
import numpy as np
import scipy
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time

CASES = (  # (n, scale) of both, the common end, the decimals, the share that is censored at random
    ((21, 12), (19, 14), 16, 3, 0.0), ((9, 12), (7, 12), 14, 3, 0.1), ((13, 9), (31, 12), 11, 1, 0.15),
    ((5, 10), (5, 30), 20, 3, 0.0), ((41, 12), (25, 13), 15, 0, 0.15), ((11, 10), (11, 10), 7, 2, 0.0),
)  # fmt: skip


def main() -> None:
    dice = np.random.default_rng(18)
    cases = []
    for *sides, cut, decimals, at_random in CASES:
        a, b = (side(dice, n, scale, cut, decimals, at_random) for n, scale in sides)
        found = logrank_test(a["values"], b["values"], *([not c for c in one["censored"]] for one in (a, b)))
        cases.append({"a": a, "b": b, "logrank_p": float(found.p_value)})
    versions = {module.__name__: module.__version__ for module in (lifelines, scipy, np)}
    json.dump({"made_with": versions, "cases": cases}, sys.stdout, indent=1)


def side(dice: np.random.Generator, n: int, scale: float, cut: float, decimals: int, at_random: float) -> Any:
    times = dice.weibull(2, n) * scale
    values, censored = np.round(np.minimum(times, cut), decimals), (times > cut) | (dice.random(n) < at_random)
    fit = KaplanMeierFitter().fit(values, ~censored)
    interval = median_survival_times(fit.confidence_interval_).iloc[0]
    until = float(values.max() * 0.9)
    return {
        "values": values.tolist(),
        "censored": censored.tolist(),
        "times": fit.survival_function_.index[1:].tolist(),
        "share": fit.survival_function_.iloc[1:, 0].tolist(),
        "median": or_none(fit.median_survival_time_),
        "interval": [or_none(edge) for edge in interval],
        "until": until,
        "restricted_mean": float(restricted_mean_survival_time(fit, t=until)),
    }


def or_none(value: float) -> float | None:
    """None: not reached."""
    return None if np.isinf(value) else float(value)


if __name__ == "__main__":
    main()
