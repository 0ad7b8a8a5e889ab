"""Where things lie: the checkout, and what it is tested with."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDED_RUNS = ROOT / "tests" / "runs"
SHARED = ROOT.parent / "shared"  # recordings and cases that are not in the repository; may be absent
