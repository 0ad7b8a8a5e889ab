"""A saved run with its verdict: what notebooks, figures and the report work with."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from factorylab.audit.judge import judge
from factorylab.audit.model.verdict import Verdict
from factorylab.history.saved_run import Run, existing


class JudgedRun(Run):
    """One saved run. `run.sends`, `run.lag`, … (every table of `history`) are frames, kept once read."""

    @cached_property
    def verdict(self) -> Verdict:
        """Computed now, from raw/ alone."""
        return judge(self)


def load(path: Path | str) -> JudgedRun:
    """Open a saved run's folder.

    Raises:
        UsageError: there is no run in it.
    """
    return JudgedRun(existing(path))
