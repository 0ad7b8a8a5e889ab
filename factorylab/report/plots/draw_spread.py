"""The figure of several runs: each value of a quantity, with the median and its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes

from factorylab.analysis.statistics.location import median, median_interval
from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.recorded import AnyRun
from factorylab.audit.sets.run_set import RunSet, by_cell
from factorylab.core.errors import UsageError
from factorylab.report.plots.style import BLACK, BLUE, ORANGE, Picture, settled, styled

LINE_INCHES, ROW_LINES = 0.2, 3
BESIDE = 0.22  # the interval stands so much above its runs, of a row's height


def spread(runs: Iterable[AnyRun], quantity: str) -> Picture:
    """A row for each scenario with its parameters, a mark for each run.

    Raises:
        UsageError: the quantity is unknown, or no run observed it.
    """
    return spread_of_sets(by_cell(runs), quantity)


def spread_of_sets(sets: Sequence[RunSet], quantity: str) -> Picture:
    """The same of sets."""
    unit = known(quantity).unit
    labelled = ((_words(one, quantity), one) for one in sets if len(one.sample(quantity)))
    shown = sorted(labelled, key=lambda pair: pair[0])
    if not shown:
        raise UsageError(f"no run observed {quantity}")
    with styled():
        lines = sum(max(words.count("\n") + 1, ROW_LINES) for words, _ in shown)
        picture = Picture(figsize=(8, 1.3 + LINE_INCHES * lines))
        ax = picture.subplots()
        for row, (_, one) in enumerate(shown):
            _row(ax, row, one, quantity)
        ax.set_yticks(range(len(shown)), [words for words, _ in shown])
        ax.set(ylim=(len(shown) - 0.4, -0.6), xlabel=unit, title=f"{quantity}: {known(quantity).means}")
        ax.set_xlim(left=0)
        marks, words = ax.get_legend_handles_labels()
        named = dict(zip(words, marks, strict=True))
        picture.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)
        return settled(picture)


def _words(one: RunSet, quantity: str) -> str:
    """A set and how many of its runs observed the quantity, in lines, which leave the figure its room; conditions by
    the ends of their names."""
    unlike = (f"{name.rpartition('.')[2]} {word}" for name, word in one.unlike.items())
    return "\n".join([f"{one.title}, n={len(one.sample(quantity))}", *unlike])


def _row(ax: Axes, row: int, one: RunSet, quantity: str) -> None:
    sample, interval = one.sample(quantity), median_interval(one.sample(quantity))
    for marked, mark, fill, words in ((False, "o", BLUE, "a run"), (True, ">", ORANGE, "lower bound of a run")):
        values = sample.values[sample.censored == marked]
        if len(values):
            ax.plot(values, np.full(len(values), row), mark, color=BLACK, markerfacecolor=fill, alpha=0.8, label=words)
    if interval is not None and np.isfinite(interval.low):
        end = interval.high if np.isfinite(interval.high) else sample.values.max()
        ax.plot([interval.low, end], [row - BESIDE] * 2, color=BLACK, linewidth=2.5, label="interval of the median")
        if end != interval.high:
            ax.plot([end], [row - BESIDE], ">", color=BLACK, label="its end was not reached")
    if np.isfinite(median(sample)):
        ax.plot([median(sample)], [row - BESIDE], "|", color=BLACK, markersize=11, markeredgewidth=2, label="median")
