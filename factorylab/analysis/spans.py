"""Spans of time, (from, to), in ns or in seconds: what they have in common, and what they leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T", int, float)


def joined(spans: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """The same moments as spans that do not overlap, in the order of time."""
    found: list[tuple[T, T]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def common(one: Iterable[tuple[T, T]], other: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """The moments that lie in both."""
    others = list(other)
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in others)
    return joined((start, end) for start, end in pairs if start < end)


def outside(spans: Iterable[tuple[T, T]], whole: tuple[T, T]) -> list[tuple[T, T]]:
    """The parts of `whole` that none of the spans covers."""
    left, (at, end) = [], whole
    for a, b in joined(spans):
        left.append((at, min(a, end)))
        at = max(at, b)
    left.append((at, end))
    return [(start, stop) for start, stop in left if start < stop]
