"""Drawing what a verdict tells beyond its checks: exposure, and the life of one reading. Frames in, axes out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from factorylab.audit.verdict import Exposure, Moment
from factorylab.plots.draw import THOUSANDS
from factorylab.plots.style import BLACK, COLOURS, FILLS, LINES


def exposure(ax: Axes, frame: pd.DataFrame, worst: Exposure | None) -> Axes:
    """Columns of `analysis.exposure.by_leader`: one line a leader, the band up to what is possible; the worst named."""
    for number, (leader, mine) in enumerate(frame.groupby("leader")):
        i = number % len(COLOURS)
        ax.fill_between(mine["t_s"], mine["low"], mine["high"], step="post", color=FILLS[i], linewidth=0)
        ax.step(mine["t_s"], mine["low"], where="post", color=COLOURS[i], linestyle=LINES[i], label=f"broker {leader}")
    if worst is not None and worst.high:
        band = f"{worst.low:,}" if worst.low == worst.high else f"{worst.low:,} to {worst.high:,}"
        ax.plot(worst.t_s, worst.high, "v", color=BLACK, markersize=6)
        ax.annotate(
            f"worst: {band} on broker {worst.leader}", (worst.t_s, worst.high), xytext=(7, 4),
            textcoords="offset points", fontsize=8, va="bottom",
        )  # fmt: skip
    ax.set(ylabel="readings", title="Confirmed readings that the death of their leader would have lost")
    top = float(frame["high"].max()) if len(frame) else 0.0
    ax.set_ylim(0, max(top * 1.25, 1))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))  # readings are whole, also where there is none
    ax.yaxis.set_major_formatter(THOUSANDS)
    if len(frame):
        ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def life(ax: Axes, moments: Sequence[Moment], title: str) -> Axes:
    """The steps of a reading's life in their order, downwards; numbers lead from one to the next."""
    order = range(len(moments))
    ax.plot([m.t_s for m in moments], order, color="#999999", linewidth=0.8, zorder=1)
    ax.plot([m.t_s for m in moments], order, "o", color=BLACK, markersize=4, zorder=2)
    right = max((m.t_s for m in moments), default=0.0)
    left = min((m.t_s for m in moments), default=0.0)
    for row, moment in enumerate(moments):
        late = moment.t_s > (left + right) / 2
        ax.annotate(
            f"{moment.t_s:.2f} s  {moment.step}", (moment.t_s, row), xytext=(-7 if late else 7, 0),
            textcoords="offset points", fontsize=8, va="center", ha="right" if late else "left",
        )  # fmt: skip
    ax.set(title=title)
    ax.set_ylim(len(moments) - 0.4, -0.6)
    ax.set_yticks([])
    ax.margins(x=0.04)
    return ax
