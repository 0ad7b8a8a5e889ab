"""A sample: the values of one quantity in several runs, some of which may be censored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ENOUGH = 5
"""Of fewer values no interval: with four, the range covers the median in 87.5 of 100 cases."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, either of which may be infinite. `confidence` is exact for `exact` ones (at least that,
    where values tie), else nominal."""

    low: float
    high: float
    confidence: float
    exact: bool


@dataclass(frozen=True)
class Sample:
    """`values` and `censored` (the truth is at least the value), of equal length.

    Raises:
        ValueError: a value is not a finite number. What was not observed is no value: leave it out.
    """

    values: Floats
    censored: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise ValueError("a sample has finite values only: what was not observed is left out")

    @classmethod
    def of(cls, values: Iterable[float], censored: Iterable[bool] | None = None) -> Sample:
        """From plain numbers; without `censored` none is."""
        found = np.asarray(list(values), dtype=np.float64)
        marks = np.zeros(len(found), dtype=bool) if censored is None else np.asarray(list(censored), dtype=bool)
        if len(found) != len(marks):
            raise ValueError(f"{len(found)} values and {len(marks)} marks of censoring")
        return cls(found, marks)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def any_censored(self) -> bool:
        return bool(self.censored.any())

    def plus(self, shift: float) -> Sample:
        """Each value so much larger."""
        return Sample(self.values + shift, self.censored)

    def times(self, factor: float) -> Sample:
        """Each value multiplied."""
        return Sample(self.values * factor, self.censored)


def joined(a: Sample, b: Sample) -> Sample:
    """The values of both, those of `a` first."""
    return Sample(np.concatenate([a.values, b.values]), np.concatenate([a.censored, b.censored]))
