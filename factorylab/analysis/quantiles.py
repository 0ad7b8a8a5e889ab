"""Exact quantiles of numbers that do not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from factorylab.core.scratch import Numbers

SAMPLE = 1 << 16
SPREAD = 1 / 256  # of all numbers: how far from its place in the sample a rank may be


def quantiles(numbers: Numbers, asked: Sequence[float]) -> list[float]:
    """As `numpy.quantile` has them; NaN where there is no number."""
    if not len(numbers):
        return [float("nan")] * len(asked)
    if numbers.in_memory:
        return [float(q) for q in np.quantile(numbers.whole(), asked)]
    ranks = [(len(numbers) - 1) * q for q in asked]
    low = [int(rank) for rank in ranks]
    found = at_ranks(numbers, [*low, *(min(rank + 1, len(numbers) - 1) for rank in low)])
    pairs = zip(ranks, low, found[: len(low)], found[len(low) :], strict=True)
    return [float(np.quantile([a, b], rank - whole)) for rank, whole, a, b in pairs]


def at_ranks(numbers: Numbers, ranks: Sequence[int]) -> list[float]:
    """The numbers that would have these ranks (from 0 on) if all were sorted; none of them may be NaN."""
    if numbers.in_memory:
        return [float(value) for value in np.sort(numbers.whole())[list(ranks)]]
    step = max(len(numbers) // SAMPLE, 1)
    sample = np.sort(np.concatenate([part[::step].copy() for part in numbers.parts()]))
    spread = SPREAD
    while True:
        around = [_Around(rank, sample, rank / len(numbers), spread) for rank in ranks]
        for part in numbers.parts():
            for one in around:
                one.add(part)
        found = [one.value() for one in around]
        if None not in found:
            return [value for value in found if value is not None]
        spread *= 16


class _Around:
    """The numbers between two of a sample, of which one has the rank that is looked for, or so it seems."""

    def __init__(self, rank: int, sample: NDArray[np.float64], share: float, spread: float) -> None:
        low, high = (int((share + sign * spread) * len(sample)) for sign in (-1, 1))
        self._rank = rank
        self._low = float(sample[low]) if low > 0 else -np.inf
        self._high = float(sample[high]) if high < len(sample) else np.inf
        self._below = self._lows = self._highs = 0
        self._between: list[NDArray[np.float64]] = []

    def add(self, part: NDArray[np.float64]) -> None:
        self._below += int(np.count_nonzero(part < self._low))
        self._lows += int(np.count_nonzero(part == self._low))
        self._highs += int(np.count_nonzero(part == self._high))
        self._between.append(part[(part > self._low) & (part < self._high)])

    def value(self) -> float | None:
        """None where it lies elsewhere."""
        at, between = self._rank - self._below, np.concatenate(self._between)
        if 0 <= at < self._lows:
            return self._low
        at -= self._lows
        if 0 <= at < len(between):
            return float(np.partition(between, at)[at])
        return self._high if len(between) <= at < len(between) + self._highs else None
