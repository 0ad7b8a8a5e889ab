"""A/A: how often the comparison of runs that differ in nothing shows a difference.

*At random*: the runs are split in two at random many times, and every quantity is compared with Holm's correction, as
two sets of runs are. A false alarm is a split in which any quantity differs. No runs can give more than
1 − CONFIDENCE of them but by chance, since the splits are random: more means that the comparison itself is wrong.

*In the order of time*: the first half against the second, and every other run against the rest. This is what tells of
the machine: where it drifts, the halves differ, and what was measured an hour apart must not be compared on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from factorylab.analysis.statistics.multiple import holm
from factorylab.analysis.statistics.permutation import Null, permutation, scores
from factorylab.analysis.statistics.sample import CONFIDENCE, Floats, Sample

SPLITS = 2_000
SEED = 1
CHANCE = 0.01
"""How rarely so many false alarms may be chance before they count as too many."""


@dataclass(frozen=True)
class Observed:
    """One quantity in all runs, in the order of time; NaN where it was not observed."""

    values: Floats
    censored: NDArray[np.bool_]

    def sample(self, rows: NDArray[np.bool_]) -> Sample:
        """Of the runs that are marked, those in which it was observed."""
        kept = rows & ~np.isnan(self.values)
        return Sample(self.values[kept], self.censored[kept])


@dataclass(frozen=True)
class Alarms:
    """`alarms` of `splits` showed a difference in any quantity, `of` says in which how often. `halves` and `turns` are
    the p of each quantity in the order of time, corrected for all of both."""

    runs: int
    splits: int
    alarms: int
    of: Mapping[str, int]
    halves: Mapping[str, float]
    turns: Mapping[str, float]

    @property
    def too_many(self) -> bool:
        """More than 1 − CONFIDENCE of the splits, by more than chance."""
        return self.alarms > int(scipy.stats.binom.ppf(1 - CHANCE, self.splits, 1 - CONFIDENCE))

    @property
    def drifts(self) -> list[str]:
        """Quantities that differ with time."""
        alpha = 1 - CONFIDENCE
        return sorted({name for found in (self.halves, self.turns) for name, p in found.items() if p <= alpha})

    @property
    def fit(self) -> bool:
        return not self.too_many and not self.drifts


def false_alarms(observed: Mapping[str, Observed], splits: int = SPLITS) -> Alarms:
    """The check on quantities that were observed in the same runs.

    Raises:
        ValueError: no quantity differs from run to run, so that there is nothing to check.
    """
    varying = {name: one for name, one in observed.items() if _varies(one)}
    if not varying:
        raise ValueError("no quantity differs from run to run")
    runs = len(next(iter(varying.values())).values)
    firsts = _random_halves(runs, splits)
    found = np.stack([_split_p(one, firsts) for one in varying.values()], axis=1)
    shown = np.array([holm(row) for row in found]) <= 1 - CONFIDENCE
    halves, turns = _ordered_p(varying, np.arange(runs) < runs // 2, np.arange(runs) % 2 == 0)
    of = dict(zip(varying, shown.sum(axis=0).tolist(), strict=True))
    return Alarms(runs, splits, int(shown.any(axis=1).sum()), of, halves, turns)


def _varies(one: Observed) -> bool:
    sample = one.sample(np.ones(len(one.values), dtype=bool))
    return len(sample) > 1 and bool(np.ptp(scores(sample)) > 0)


def _random_halves(runs: int, splits: int) -> NDArray[np.bool_]:
    """One row a split: which runs are in its first half."""
    dice = np.random.default_rng(SEED)
    return dice.permuted(np.tile(np.arange(runs) < runs // 2, (splits, 1)), axis=1)


def _split_p(one: Observed, firsts: NDArray[np.bool_]) -> Floats:
    """p of one quantity in each split; 1 where a half has no value."""
    there = ~np.isnan(one.values)
    scored, mine = scores(Sample(one.values[there], one.censored[there])), firsts[:, there]
    sizes, found = mine.sum(axis=1), np.ones(len(firsts))
    for n_a in np.unique(sizes[(sizes > 0) & (sizes < len(scored))]):
        rows = np.flatnonzero(sizes == n_a)
        less, greater = Null(scored, int(n_a)).tails((mine[rows] @ scored) / n_a)
        found[rows] = np.minimum(2 * np.minimum(less, greater), 1.0)
    return found


def _ordered_p(observed: Mapping[str, Observed], *firsts: NDArray[np.bool_]) -> list[dict[str, float]]:
    """For each way to cut the runs in two: p of each quantity, corrected for all quantities and ways."""
    tested = [
        {name: test.p for name, one in observed.items() if (test := permutation(one.sample(first), one.sample(~first)))}
        for first in firsts
    ]
    corrected = iter(holm([p for found in tested for p in found.values()]))
    return [{name: next(corrected) for name in found} for found in tested]
