"""When a fault was about, and what it had set going."""

from __future__ import annotations

import numpy as np

from factorylab.analysis.readings import Ints, Mask
from factorylab.audit.model.registry import Evidence
from factorylab.core.clock import NS
from factorylab.history.saved_run import each

UNSETTLED_S = 30.0  # after a healing: sessions of brokers and members end within 20 s, elections and rebalances follow


def disturbed(e: Evidence, from_ns: Ints, until_ns: Ints) -> Mask:
    """Spans of time that a fault reaches into, or what it set going."""
    hit = np.zeros(len(from_ns), bool)
    for w in each(e.fault_windows):
        ended = w.healed_ns + round(UNSETTLED_S * NS) if w.healed_ns > 0 else np.iinfo(np.int64).max
        hit |= (from_ns <= ended) & (until_ns >= w.intended_ns)
    return hit
