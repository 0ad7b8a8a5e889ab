"""Several comparisons at once: Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Each p so enlarged that, of all comparisons without a difference, one or more is shown in at most α of all cases:
    the i-th smallest of m times m + 1 − i, and no smaller than the one before it (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(p) else steps
    return [float(one) for one in found]
