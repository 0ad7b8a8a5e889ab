"""Which records of a log a client of another implementation reads once more: `cross_reads` has a row for each span."""

from __future__ import annotations

SAMPLE = 500  # records at the beginning, in the middle and at the end of each partition


def samples(start: int, end: int) -> list[tuple[int, int]]:
    """Spans of offsets, first ≤ o < end: all of a short partition, three pieces of a long one."""
    if end - start <= 3 * SAMPLE:
        return [(start, end)] if end > start else []
    middle = (start + end - SAMPLE) // 2
    return [(first, first + SAMPLE) for first in (start, middle, end - SAMPLE)]
