"""The figure of a capacity search."""

from __future__ import annotations

from matplotlib.axes import Axes

from factorylab.analysis.capacity import Capacity
from factorylab.report.plots.draw import THOUSANDS, plain_log
from factorylab.report.plots.style import BLUE, FAULT_FILL, RED, Picture, settled, styled

MARKS = {"kept": ("o", BLUE), "not kept": ("X", RED), "generator late": ("s", "white"), "inconclusive": ("P", "white")}


def capacity(found: Capacity) -> Picture:
    """The p99 of each trial over its rate, with the objective, and the interval of the answer shaded."""
    with styled():
        picture = Picture(figsize=(7, 3.6))
        ax = picture.subplots()
        _interval(ax, found)
        ax.axhline(
            found.plan["latency_s"], color="#777777", linestyle=":", label=f"allowed: {found.plan['latency_s']:g} s"
        )
        for outcome, (mark, fill) in MARKS.items():
            mine = [one for one in found.trials if one.outcome == outcome]
            if mine:
                ax.plot(
                    [one.rate_per_s for one in mine], [one.p99_s for one in mine], mark, color="black",
                    markerfacecolor=fill, markersize=7, label=outcome,
                )  # fmt: skip
        ax.set(xlabel="declared readings / s", ylabel="seconds", yscale="log", title="p99 from the intended send")
        ax.xaxis.set_major_formatter(THOUSANDS)
        ax.set_xlim(left=0)
        plain_log(ax)
        ax.legend(loc="upper left")
        return settled(picture)


def _interval(ax: Axes, found: Capacity) -> None:
    low, high = found.answer.kept_per_s, found.answer.failed_per_s
    if low is not None and high is not None:
        ax.axvspan(low, high, color=FAULT_FILL, label="the limit lies here")
