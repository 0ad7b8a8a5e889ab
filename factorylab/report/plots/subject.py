"""What a figure of a run is about, in its title and for those who do not see it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from factorylab import analysis
from factorylab.audit.judged import JudgedRun
from factorylab.history.saved_run import each
from factorylab.report.plots.alt_text import alt_text
from factorylab.report.plots.style import Picture
from factorylab.scenarios.sides import sides

P = ParamSpec("P")


def subject(run: JudgedRun) -> str:
    """What was done, in a few words: the first part of every title."""
    windows = analysis.fault_windows(run)
    done = [f"{w.kind} {w.target}{sides(run.scenario.faults[w.fault])}" for w in each(windows)]
    return f"{run.scenario.title.replace('_', ' ')}: {', '.join(dict.fromkeys(done)) or 'no fault'}"


def with_alt_text(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Of a figure of `LEGENDS`, whose first argument is the run: the same with its alternative text."""

    @wraps(draw)
    def described(*args: P.args, **named: P.kwargs) -> Picture:
        picture = draw(*args, **named)
        run = args[0] if args else named["run"]
        assert isinstance(run, JudgedRun)
        picture.alt = alt_text(run, draw.__name__, subject(run))
        return picture

    return described
