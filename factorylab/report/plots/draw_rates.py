"""Drawing readings and records over time: throughput, lag, and where storing ended. Frames in, axes out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from factorylab.report.plots.draw import THOUSANDS
from factorylab.report.plots.style import BLACK, BLUE, COLOURS, GREEN, LINES, ORANGE


def last_stored(axes: Sequence[Axes], at_s: float) -> None:
    """The moment of the last transaction that stored a reading, on each of the axes, named on the first."""
    for ax in axes:
        ax.axvline(at_s, color=BLACK, linestyle=(0, (1, 2)), linewidth=1)
    axes[0].annotate(
        f"last stored {at_s:.1f} s", (at_s, 0), xycoords=("data", "axes fraction"), xytext=(-3, 3),
        textcoords="offset points", ha="right", fontsize=8,
        bbox={"fc": "white", "ec": "none", "pad": 0.8, "alpha": 0.8},
    )  # fmt: skip


def throughput(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.rates.throughput`; each bin is drawn to its end."""
    ends = frame.tail(1).assign(t_s=frame["t_s"] + frame["t_s"].diff().median())
    frame = pd.concat([frame, ends])
    series = (
        ("due", BLACK, ":", 1.8),
        ("offered", GREEN, "-.", 1.2),
        ("acked", BLUE, "-", 1.4),
        ("stored", ORANGE, "--", 1.4),
    )
    for word, colour, line, width in series:
        ax.step(
            frame["t_s"],
            frame[f"{word}_per_s"],
            where="post",
            color=colour,
            linestyle=line,
            linewidth=width,
            label=word,
        )
    ax.set(ylabel="readings / s", title="Throughput")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def lag(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.rates.lag`: one line a partition."""
    for number, (partition, mine) in enumerate(frame.groupby("partition")):
        i = number % len(COLOURS)
        ax.plot(mine["t_s"], mine["lag_records"], color=COLOURS[i], linestyle=LINES[i], label=f"partition {partition}")
    ax.set(ylabel="records", title="Consumer lag (log end − committed)")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(THOUSANDS)
    if len(frame):
        ax.legend(ncols=min(frame["partition"].nunique(), 6), loc="lower right", bbox_to_anchor=(1, 1))
    return ax
