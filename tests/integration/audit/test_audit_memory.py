"""What a reading costs the audit in memory, as Python and numpy allocate it: the same on every machine.

Time and peak of a whole process are measured by `tests.measure.audit`.
"""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from factorylab.core import scratch
from tests.support.histories import broker_loss


def peak_bytes(folder: Path, rate_per_s: int) -> tuple[int, int]:
    """The readings of a run at that rate, and what its audit allocates at its peak."""
    run = broker_loss(folder, workload={"rate_per_s": rate_per_s, "sensors": 1000}).saved()
    gc.collect()
    gc.freeze()  # with what other tests left, Python would collect less often, and hold what is garbage for longer
    tracemalloc.start()
    try:
        counts = run.verdict.counts
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert counts is not None and counts.offered is not None
    return counts.offered, peak


def test_memory_does_not_grow_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 270,000 more readings the audit allocates at most 8 bytes each: it holds chunks, not tables."""
    monkeypatch.setattr(scratch, "CHUNK", 1 << 14)
    monkeypatch.setattr(scratch, "IN_MEMORY", 1 << 16)
    few, less = peak_bytes(tmp_path / "few", 5_000)
    many, more = peak_bytes(tmp_path / "many", 20_000)
    assert (few, many) == (90_000, 360_000)
    assert (more - less) / (many - few) <= 8
