"""Drawing what a verdict tells beyond its checks: exposure, blind time, the life of a reading. Frames in, axes out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from factorylab.audit.model.findings import Exposure, Moment
from factorylab.history.saved_run import each
from factorylab.report.plots.draw import THOUSANDS, plain_log
from factorylab.report.plots.style import BLACK, BLUE, COLOURS, FILLS, GREEN, HATCHES, LINES, RED


def exposure(ax: Axes, frame: pd.DataFrame, worst: Exposure | None) -> Axes:
    """Columns of `analysis.exposure.by_leader`: one line a leader, the band up to what is possible; the worst named."""
    for number, (leader, mine) in enumerate(frame.groupby("leader")):
        i = number % len(COLOURS)
        ax.fill_between(mine["t_s"], mine["low"], mine["high"], step="post", color=FILLS[i], linewidth=0)
        ax.step(mine["t_s"], mine["low"], where="post", color=COLOURS[i], linestyle=LINES[i], label=f"broker {leader}")
    if worst is not None and worst.high:
        band = f"{worst.low:,}" if worst.low == worst.high else f"{worst.low:,} to {worst.high:,}"
        ax.plot(worst.t_s, worst.high, "v", color=BLACK, markersize=6)
        late = worst.t_s > frame["t_s"].median()  # its words stand on the side that has room for them
        ax.annotate(
            f"worst: {band} on broker {worst.leader}", (worst.t_s, worst.high), xytext=(-7 if late else 7, 4),
            textcoords="offset points", fontsize=8, va="bottom", ha="right" if late else "left",
        )  # fmt: skip
    ax.set(ylabel="readings", title="Acknowledged readings that the death of their leader would have lost")
    top = float(frame["high"].max()) if len(frame) else 0.0
    ax.set_ylim(0, max(top * 1.25, 1))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))  # readings are whole, also where there is none
    ax.yaxis.set_major_formatter(THOUSANDS)
    if len(frame):
        ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def waits(ax: Axes, readings: pd.DataFrame, alerts: pd.DataFrame, allowed_s: float) -> Axes:
    """Columns of `analysis.waits_over_time`, of all readings and of those that raised an alert; logarithmic."""
    ax.step(
        readings["t_s"], readings["longest_s"], where="post", color=BLUE, linewidth=1,
        label="any reading, had it raised one",
    )  # fmt: skip
    raised = "alerts raised" if len(alerts) else "alerts raised: none"
    ax.plot(alerts["t_s"], alerts["longest_s"], "o", color=BLACK, markersize=3.5, label=raised)
    lost = readings.loc[readings["never"] > 0, "t_s"]
    if len(lost):
        top = ax.get_xaxis_transform()
        ax.plot(lost, [0.97] * len(lost), "x", color=RED, markersize=4, transform=top, label="some never stored")
    ax.axhline(allowed_s, color=GREEN, linestyle="-.", linewidth=1, label=f"late after {allowed_s:g} s")
    ax.set(ylabel="seconds", title="Slowest alert of each half second", yscale="log")
    plain_log(ax)
    ax.legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1), columnspacing=1, handlelength=1.6)
    return ax


def blind_machines(ax: Axes, frame: pd.DataFrame, machines: int) -> Axes:
    """Columns of `analysis.blind_over_time`, stacked by location; dotted: all machines."""
    below = pd.Series(0, index=frame.index)
    for number, location in enumerate(frame.columns.drop("t_s")):
        i = number % len(FILLS)
        above = below + frame[location]
        ax.fill_between(
            frame["t_s"], below, above, step="post", facecolor=FILLS[i], hatch=HATCHES[i], edgecolor="#444444",
            linewidth=0.3, label=location,
        )  # fmt: skip
        below = above
    ax.axhline(machines, color="#777777", linestyle=":", label="all")
    ax.set(ylabel="machines", title="Machines that are blind")
    ax.set_ylim(0, machines * 1.08)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.legend(ncols=6, loc="lower right", bbox_to_anchor=(1, 1), columnspacing=1)
    return ax


def blind_time(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.blind_time`: a bar a location up to its worst machine, named; marks: the median machine."""
    groups = frame.groupby("location")["blind_s"]
    worst = frame.loc[groups.idxmax()]
    for number, row in enumerate(each(worst)):
        i = number % len(FILLS)
        ax.barh(
            number, row.blind_s, height=0.6, facecolor=FILLS[i], hatch=HATCHES[i], edgecolor="#444444", linewidth=0.5
        )
        ax.annotate(
            f"{row.blind_s:.1f} s {row.name}" if row.blind_s else "none", (row.blind_s, number), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    ax.plot(groups.median(), range(len(worst)), "|", color=BLACK, markersize=12, mew=2, label="median machine")
    ax.set(xlabel="seconds", ylabel="location", title="Blind time of the worst machine of each location")
    ax.set_xlim(0, max(float(frame["blind_s"].max()), 1) * 1.3)
    ax.set_yticks(range(len(worst)), worst["location"].tolist())
    ax.set_ylim(len(worst) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1))
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
