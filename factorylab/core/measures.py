"""Measures that verdicts keep: a kept verdict is read without the analyses that made it, whose libraries take long."""

from __future__ import annotations

import msgspec

P99_NEEDS = 100  # values: of fewer the 99th percentile is the largest


class Limit(msgspec.Struct, frozen=True):
    """How far a run with rate steps went.

    `kept_per_s` is None where no rate was kept, `failed_per_s` where all were; then nothing gave way.
    """

    kept_per_s: float | None
    failed_per_s: float | None = None
    gave_way: str = ""
    evidence: list[str] = []

    def __str__(self) -> str:
        kept = "No rate was kept" if self.kept_per_s is None else f"Up to {self.kept_per_s:,g} readings/s were kept"
        if self.failed_per_s is None:
            return f"{kept}: every rate that was declared, so nothing gave way."
        return f"{kept}; at {self.failed_per_s:,g}/s the {self.gave_way} gave way first."
