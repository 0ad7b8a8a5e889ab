"""The figure of the anatomy: a panel a partition, a row a phase, each where it lies in time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from factorylab.analysis.anatomy import NO_STALL, anatomy
from factorylab.audit.judged import JudgedRun
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import each
from factorylab.report.plots.style import BLACK, FILLS, HATCHES, Picture, settled, styled

ROW_INCHES, PANEL_INCHES = 0.19, 0.75
MOST_STALLS = 6  # of one partition, where it is the only one shown


def waterfall(run: JudgedRun, partition: int | None = None) -> Picture:
    """The stalls of one partition, the longest six, cut into phases; without a partition, of each one that stalled, the
    longest of its acks and the longest of its stores.

    Raises:
        UsageError: the run has no such partition.
    """
    check_partition(run, partition)
    frame = anatomy(run)
    frame = frame[(frame["stall"] != NO_STALL) & (frame["partition"].eq(partition) if partition is not None else True)]
    panels = [(p, *_longest(mine, single=partition is not None)) for p, mine in frame.groupby("partition")]
    if not panels:
        empty = Picture(figsize=(9, 0.4))
        empty.text(0.01, 0.3, no_stall(partition))
        return empty
    rows = [len(shown) + 0.6 * shown["phase"].str.count(r"\+").sum() for _, shown, _ in panels]
    heights = [PANEL_INCHES + ROW_INCHES * count for count in rows]
    with styled():
        figure = Picture(figsize=(9, sum(heights) + 0.3))
        axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        for ax, (number, shown, hidden) in zip(axes, panels, strict=True):
            more = f" (and {hidden} shorter)" * (hidden > 0)
            _phases(ax, shown, f"Partition {number}: phases of its stalls{more}")
        every = pd.concat([shown for _, shown, _ in panels])
        start_s, end_s = float(every["start_s"].min()), float(every["end_s"].max())
        axes[-1].set_xlim(start_s - 0.02 * (end_s - start_s), end_s + 0.14 * (end_s - start_s))
        axes[-1].set_xlabel("seconds since the steady state began")
        return settled(figure)


def no_stall(partition: int | None) -> str:
    """What there is to say where nothing stalled."""
    return "no partition stalled" if partition is None else f"partition {partition} did not stall"


def check_partition(run: JudgedRun, partition: int | None) -> None:
    """Refuse a partition that the run's topic has not.

    Raises:
        UsageError: its message names those that there are.
    """
    count = run.scenario.topology.partitions
    if partition is not None and not 0 <= partition < count:
        raise UsageError(f"the topic has no partition {partition}: its partitions are 0 to {count - 1}")


def _longest(mine: pd.DataFrame, *, single: bool) -> tuple[pd.DataFrame, int]:
    """The rows of the stalls to show, in the order of time, and how many stalls are not shown."""
    lasted = mine.groupby("stall")["stalled_s"].sum().sort_values(ascending=False, kind="stable")
    if single:
        kept = set(lasted.index[:MOST_STALLS])
    else:
        service = mine.drop_duplicates("stall").set_index("stall")["service"]
        kept = set(lasted.groupby(service).idxmax())
    return mine[mine["stall"].isin(kept)], len(lasted) - len(kept)


def _phases(ax: Axes, frame: pd.DataFrame, title: str) -> None:
    """Columns of `analysis.anatomy`: dark and hatched is the slowest of each stall, the line its error, ">" open."""
    span_s = float(frame["end_s"].max() - frame["start_s"].min())
    for row, phase in enumerate(each(frame)):
        ax.barh(
            row, phase.end_s - phase.start_s, left=phase.start_s, height=0.72, edgecolor="#444444", linewidth=0.5,
            facecolor=FILLS[5 if phase.slowest else 4], hatch=HATCHES[1] if phase.slowest else "",
        )  # fmt: skip
        early_s = min(phase.lasted_s - phase.shortest_s, phase.end_s - frame["start_s"].min())
        if early_s > span_s / 200:
            ax.plot(
                [phase.end_s - early_s, phase.end_s], [row, row], color=BLACK, linewidth=1, marker="|", markersize=5
            )
        ax.annotate(
            f"{'> ' * phase.open}{phase.stalled_s:.3f} s", (phase.end_s, row), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=7.5,
        )  # fmt: skip
    first = ~frame["stall"].duplicated()
    for place in np.flatnonzero(first.to_numpy()).tolist():
        ax.axhline(place - 0.5, color="#999999", linewidth=0.8)
        ax.annotate(
            frame["service"].iloc[place], (1.005, place), xycoords=("axes fraction", "data"), va="center", fontsize=7.5
        )
    ax.set_yticks(range(len(frame)), [phase.replace("+", " +\n") for phase in frame["phase"]])
    ax.tick_params(axis="y", labelsize=7)
    ax.set(title=title, ylabel="phase")
    ax.grid(visible=False, axis="y")
    ax.set_ylim(len(frame) - 0.4, -0.6)
