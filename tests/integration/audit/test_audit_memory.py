"""What a reading costs the audit in memory, as Python and numpy allocate it: the same on every machine.

Time and peak of a whole process are measured by `tests.measure.audit`.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from tests.support.histories import broker_loss


def test_a_reading_costs_little_memory(tmp_path: Path) -> None:
    """The audit of 360,000 readings allocates at most 130 bytes a reading at its peak: no table is held twice."""
    run = broker_loss(tmp_path, workload={"rate_per_s": 20_000, "sensors": 1000}).saved()
    tracemalloc.start()
    try:
        counts = run.verdict.counts
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts is not None and counts.offered == 360_000
    assert peak / counts.offered <= 130
