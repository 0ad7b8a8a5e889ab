"""Sums of times that are each known to an interval: drawn many times with a fixed seed, not added up at their extremes.

Two waits that are uniform add up to less than both extremes nearly always; the interval that holds 95 % of the draws is
what the sum will be, and a sum of extremes is wider than anything that is measured.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DRAWS = 20_000
SEED = 1
COVERAGE = 0.95


class Draws:
    """A source of independent draws of times in seconds, always the same ones."""

    def __init__(self) -> None:
        self._random = np.random.Generator(np.random.PCG64(SEED))

    def between(self, low_s: float, high_s: float) -> Floats:
        """Uniform: a moment within a period that nothing else is tied to."""
        return self._random.uniform(low_s, high_s, DRAWS)

    def chance(self, share: float | Floats) -> npt.NDArray[np.bool_]:
        """True in such a share of the draws; each may have its own."""
        return self._random.random(DRAWS) < share


def u(bounds_s: tuple[float, float]) -> str:
    """A uniform wait in words, as formulas have it."""
    low_s, high_s = bounds_s
    return f"U({low_s:g}, {high_s:g} s)"


def interval(seconds: Floats) -> tuple[float, float]:
    """The central interval that holds COVERAGE of the draws, in whole 10 ms outwards."""
    outside = (1 - COVERAGE) / 2
    low, high = np.quantile(seconds, [outside, 1 - outside])
    return floor(float(low) * 100) / 100, ceil(float(high) * 100) / 100
