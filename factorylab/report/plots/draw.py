"""Drawing: a frame and an axes in, the axes out. Nothing here computes.

Times are seconds since the steady state began. Every axes names its unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from factorylab.history.saved_run import each
from factorylab.report.plots.style import (
    BLACK,
    BLUE,
    FAULT_EDGE,
    FAULT_FILL,
    FILLS,
    GREEN,
    HATCHES,
    ORANGE,
    RED,
)

THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def shade_faults(ax: Axes, windows: pd.DataFrame, *, label: bool = False) -> Axes:
    """Grey from injection to healing (columns start_s, end_s, text); `label` names the fault above the axes."""
    for row, window in enumerate(each(windows)):
        ax.axvspan(window.start_s, window.end_s, facecolor=FAULT_FILL, edgecolor="none", alpha=0.6, zorder=0)
        for edge in (window.start_s, window.end_s):
            ax.axvline(edge, color=FAULT_EDGE, linewidth=0.8, zorder=0.5)
        if label:
            ax.annotate(
                window.text, (window.start_s, 1), xycoords=("data", "axes fraction"), xytext=(2, -2 - 11 * row),
                textcoords="offset points", va="top", fontsize=8,
                bbox={"fc": "white", "ec": "none", "pad": 0.8, "alpha": 0.8},
            )  # fmt: skip
    return ax


def bars(
    ax: Axes,
    frame: pd.DataFrame,
    owner: str,
    names: Sequence[object],
    *,
    title: str,
    shift: int = 0,
    lane: str = "partition",
) -> Axes:
    """Intervals (`lane`, `owner`, start_s, end_s) as one row a lane; each of `names` has a colour, a hatch named in
    the legend, beginning `shift` into the palette. Intervals without a name in `names` stay white: nobody."""
    index = {name: i % len(FILLS) for i, name in enumerate(names, start=shift)}
    for span in each(frame):
        name = getattr(span, owner)
        if name not in index or span.end_s <= span.start_s:
            continue
        i = index[name]
        ax.barh(
            getattr(span, lane), span.end_s - span.start_s, left=span.start_s, height=0.7,
            facecolor=FILLS[i], hatch=HATCHES[i], edgecolor="#444444", linewidth=0.5,
        )  # fmt: skip
    handles = [Patch(fc=FILLS[i], hatch=HATCHES[i], ec="#444444", lw=0.5, label=str(name)) for name, i in index.items()]
    ax.legend(handles=handles, ncols=min(len(handles), 6) or 1, loc="lower right", bbox_to_anchor=(1, 1))
    _lanes(ax, frame, title, lane)
    return ax


def shortage(ax: Axes, frame: pd.DataFrame, lane: str = "partition") -> Axes:
    """Thick dark lines under the lanes of `bars` while a partition lacks in-sync replicas (start_s, end_s)."""
    for span in each(frame):
        ax.plot(
            [span.start_s, span.end_s], [getattr(span, lane) + 0.42] * 2, color=RED, linewidth=2.5,
            solid_capstyle="butt",
        )  # fmt: skip
    return ax


def in_sync(ax: Axes, frame: pd.DataFrame, lane: str, least_s: float) -> Axes:
    """The replicas in sync (column in_sync) written into the intervals of `bars` that last `least_s` or longer."""
    for span in each(frame[frame["end_s"] - frame["start_s"] >= least_s]):
        ax.annotate(
            span.in_sync, ((span.start_s + span.end_s) / 2, getattr(span, lane)), ha="center", va="center", fontsize=8,
            bbox={"fc": "white", "ec": "none", "pad": 1.2, "alpha": 0.85},
        )  # fmt: skip
    return ax


def acks(ax: Axes, frame: pd.DataFrame, title: str) -> Axes:
    """Columns of `analysis.acks_kept_and_lost`, stacked: what was kept below, what was lost above it, hatched."""
    edges = [*frame["t_s"], float(frame["t_s"].iloc[-1] + frame["t_s"].diff().median())]
    kept, both = frame["kept_per_s"], frame["kept_per_s"] + frame["lost_per_s"]
    layers = [(kept * 0, kept, FILLS[0], "", "in the log afterwards")]
    if frame["lost_per_s"].any():
        layers.append((kept, both, FILLS[5], "xxx", "lost: acknowledged, and not in the log afterwards"))
    for low, high, fill, hatch, word in layers:
        ax.stairs(
            high, edges, baseline=low, fill=True, facecolor=fill, hatch=hatch, edgecolor="#444444", linewidth=0.4,
            label=word,
        )  # fmt: skip
    ax.set(ylabel="acks / s", title=title)
    ax.set_ylim(0, max(float(both.max()), 1) * 1.1)
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def _lanes(ax: Axes, frame: pd.DataFrame, title: str, lane: str = "partition") -> None:
    rows = sorted(frame[lane].unique())
    ax.set(title=title, ylabel=lane, yticks=rows)
    ax.grid(visible=False, axis="y")
    if rows:
        ax.set_ylim(rows[-1] + 0.55, rows[0] - 0.5)


def latency(ax: Axes, frame: pd.DataFrame, objective_s: float | None = None) -> Axes:
    """Columns of `analysis.latency.over_time`, on a logarithmic axis."""
    ax.fill_between(frame["t_s"], frame["p50_s"], frame["p99_s"], step="post", color=FILLS[0], label="p50 to p99")
    ax.step(frame["t_s"], frame["p50_s"], where="post", color=BLUE, label="p50")
    ax.step(frame["t_s"], frame["p99_s"], where="post", color=RED, linestyle="--", label="p99")
    ax.step(frame["t_s"], frame["max_s"], where="post", color=BLACK, linestyle=":", linewidth=1, label="slowest")
    if objective_s is not None:
        ax.axhline(objective_s, color=GREEN, linestyle="-.", linewidth=1, label=f"objective: p99 {objective_s:g} s")
    ax.set(ylabel="seconds", title="Latency, intended send to store", yscale="log")
    plain_log(ax)
    ax.legend(ncols=5, loc="lower right", bbox_to_anchor=(1, 1), columnspacing=1, handlelength=1.6)
    return ax


def latency_parts(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.latency.parts_over_time`, on a logarithmic axis."""
    words = {"generator": "generator: due to sent", "kafka": "Kafka: sent to acked", "pipeline": "pipeline: to stored"}
    for (part, word), colour, line in zip(words.items(), (BLACK, BLUE, ORANGE), (":", "-", "--"), strict=True):
        ax.step(frame["t_s"], frame[f"{part}_s"], where="post", color=colour, linestyle=line, label=word)
    ax.set(ylabel="seconds", title="Its parts, p99", yscale="log")
    plain_log(ax)
    ax.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1), columnspacing=1, handlelength=1.6)
    return ax


def ack_gaps(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.service.ack_gaps`: the longest gap of each partition, and the steady state's as a mark."""
    for row in each(frame):
        ax.barh(
            row.partition,
            row.gap_s,
            height=0.55,
            facecolor=FILLS[0],
            edgecolor="#444444",
            hatch="///" * row.censored,
            linewidth=0.5,
        )
        ax.annotate(
            f"{'> ' * row.censored}{row.gap_s:.2f} s", (row.gap_s, row.partition), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    ax.plot(
        frame["steady_s"],
        frame["partition"],
        "|",
        color=BLACK,
        markersize=14,
        mew=2,
        label="longest of the steady state",
    )
    ax.set(xlabel="seconds", title="Longest time without an acknowledgement")
    ax.set_xlim(0, max(float(frame["gap_s"].max()), 0.01) * 1.15)
    _lanes(ax, frame, ax.get_title(loc="left"))
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def offered_achieved(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.steps.steps`: offered and achieved over declared rate; hollow: not kept."""
    top = float(frame["rate_per_s"].max()) * 1.08
    ax.plot([0, top], [0, top], color="#777777", linestyle=":", label="all that is declared")
    ax.plot(frame["rate_per_s"], frame["offered_per_s"], color=GREEN, linestyle="-.", label="offered")
    ax.plot(frame["rate_per_s"], frame["achieved_per_s"], color=BLUE, linewidth=1)
    _marks(ax, frame, "achieved_per_s", BLUE, "o")
    ax.set(xlabel="declared readings / s", ylabel="readings / s", title="Offered and stored", xlim=(0, top))
    ax.set_ylim(0, top)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(THOUSANDS)
        axis.set_major_locator(MaxNLocator(5))
    ax.legend(loc="upper left")
    return ax


def load_latency(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Columns of `analysis.steps.steps`: p50 and p99 over the declared rate, logarithmic."""
    for word, colour, line, mark in (("p50", BLUE, "-", "o"), ("p99", RED, "--", "s")):
        ax.plot(frame["rate_per_s"], frame[f"{word}_s"], color=colour, linestyle=line, label=word)
        _marks(ax, frame, f"{word}_s", colour, mark, label=False)
    ax.set(xlabel="declared readings / s", ylabel="seconds", title="Latency from the intended send", yscale="log")
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    plain_log(ax)
    ax.set_xlim(left=0)
    ax.legend(loc="upper left")
    return ax


def plain_log(ax: Axes) -> None:
    """Plain numbers on a logarithmic axis: at 1, 2 and 5 of each decade."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(PLAIN)
    ax.yaxis.set_minor_formatter(NullFormatter())


def _marks(ax: Axes, frame: pd.DataFrame, column: str, colour: str, mark: str, *, label: bool = True) -> None:
    for keeps_up, word, fill in ((True, "keeps up", colour), (False, "falls behind", "white")):
        mine = frame[frame["keeps_up"] == keeps_up]
        ax.plot(
            mine["rate_per_s"], mine[column], mark, color=colour, markerfacecolor=fill, markersize=6,
            label=word if label and len(mine) else None,
        )  # fmt: skip
