"""The figure of a campaign: a column for each quantity, a panel for each fault, a line for each acks and replicas."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from factorylab.analysis.statistics.location import median
from factorylab.analysis.statistics.sample import Sample
from factorylab.audit.sets.durability import NO_RUNS, Place, absent, places
from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.recorded import AnyRun
from factorylab.audit.sets.run_set import RunSet
from factorylab.report.plots.style import BLACK, BLUE, ORANGE, Picture, settled, styled
from factorylab.scenarios.model import Scenario

LINE_INCHES, PANEL_INCHES = 0.19, 0.4


def durability(runs: Iterable[AnyRun], *names: str, planned: Iterable[Scenario] = ()) -> Picture:
    """A mark for each run and quantity of `names`; a word where no run of a place counts or observed it, also of those
    that were `planned`.

    Raises:
        UsageError: as `audit.sets.durability.places`, or there is no quantity of a name.
    """
    found = places(runs, planned)
    faults = list(dict.fromkeys(place.fault for place in found))
    lines = len(found) // len(faults)
    with styled():
        picture = Picture(figsize=(10, 1.3 + (LINE_INCHES * lines + PANEL_INCHES) * len(faults)))
        grid = picture.subplots(len(faults), len(names), sharex="col", sharey=True, squeeze=False)
        for panels, fault in zip(grid, faults, strict=True):
            mine = {place: runs for place, runs in found.items() if place.fault == fault}
            for ax, name in zip(panels, names, strict=True):
                _panel(ax, mine, name)
                ax.set_title(" ")  # keeps the room that the first one's words need
            panels[0].set_title(fault, fontweight="bold").set_in_layout(False)  # they may be wider than their panel
        for ax, name in zip(grid[-1], names, strict=True):
            ax.set_xlabel(f"{name} ({known(name).unit})")
            ax.set_xlim(0, 1.05 * max((runs or NO_RUNS).sample(name).values.max(initial=1) for runs in found.values()))
        marks = {word: mark for ax in grid.flat for mark, word in zip(*ax.get_legend_handles_labels(), strict=True)}
        picture.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=3)
        return settled(picture)


def _panel(ax: Axes, found: dict[Place, RunSet | None], name: str) -> None:
    """Seconds are linear; readings logarithmic above one, so that 0 and 10,000 both have a place."""
    ax.set_yticks(range(len(found)), [f"acks {place.acks}, {place.replicas}" for place in found])
    ax.set_ylim(len(found) - 0.5, -0.5)
    if known(name).unit != "s":
        ax.set_xscale("symlog", linthresh=1)
    for line, one in enumerate(found.values()):
        some = one or NO_RUNS
        _line(ax, line, some.sample(name))
        if word := absent(one) or _unseen(some, name):
            ax.text(0.02, line, word, transform=ax.get_yaxis_transform(), va="center", fontsize=7, style="italic")


def _unseen(one: RunSet, name: str) -> str:
    """Why no run observed it; empty where one did."""
    values = one.values(name)
    return "" if any(v.value is not None for v in values) else ", ".join(sorted({v.missing for v in values}))


def _line(ax: Axes, line: int, sample: Sample) -> None:
    for marked, mark, fill, words in ((False, "o", BLUE, "a run"), (True, ">", ORANGE, "lower bound of a run")):
        values = sample.values[sample.censored == marked]
        if len(values):
            at = np.full(len(values), line)
            ax.plot(values, at, mark, color=BLACK, markerfacecolor=fill, alpha=0.7, label=words, clip_on=False)
    if len(sample) and np.isfinite(median(sample)):
        ax.plot([median(sample)], [line], "|", color=BLACK, markersize=11, markeredgewidth=1.5, label="median")
