"""Figures of recordings: what a machine measured, when something was wrong, and when a detector said so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from factorylab.report.plots.style import BLUE, FAULT_EDGE, FAULT_FILL, RED, Picture, settled, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from factorylab.detectors.evaluation.detect import Detection
    from factorylab.detectors.recordings.recording import Recording

POINTS = 4000  # more than a screen has columns


def detection(recording: Recording, found: Detection, channels: Sequence[str] = ()) -> Picture:
    """Some channels of a recording (the first by default), its faults shaded, its alarms marked below them."""
    chosen = list(channels) or [recording.channels[0]]
    with styled():
        figure = Picture(figsize=(9, 1.1 + 1.5 * len(chosen)))
        axes = np.atleast_1d(figure.subplots(len(chosen), 1, sharex=True))
        for ax, channel in zip(axes, chosen, strict=True):
            _channel(ax, recording, found, channel)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes[-1].xaxis.set_major_locator(locator)
        axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.suptitle(f"{recording.name}: {found.method}", x=0.01, ha="left", fontsize=11, fontweight="bold")
        return settled(figure)


def _channel(ax: Axes, recording: Recording, found: Detection, channel: str) -> None:
    values = recording.values[:, recording.channels.index(channel)]
    every = max(1, len(values) // POINTS)
    ax.plot(recording.times[::every], values[::every], color=BLUE, linewidth=0.7, label="measured")
    base = values.min() - 0.08 * np.ptp(values)
    _spans(ax, recording, recording.truth, "known fault")
    on = np.where(found.on, base, np.nan)
    ax.plot(recording.times, on, color=RED, linewidth=2.5, label="in alarm")
    starts = recording.times[found.starts]
    ax.plot(
        starts, np.full(len(starts), base), "v", color=RED, markeredgecolor="black", markersize=7, label="alarm starts"
    )
    ax.set_title(channel)


def _spans(ax: Axes, recording: Recording, truth: np.ndarray | None, label: str) -> None:
    if truth is None:
        return
    edges = np.flatnonzero(np.diff(np.r_[False, truth, False].astype(np.int8))).reshape(-1, 2)
    for number, (start, end) in enumerate(edges):
        ax.axvspan(
            recording.times[start], recording.times[end - 1], facecolor=FAULT_FILL, edgecolor=FAULT_EDGE,
            linewidth=0.5, label=label if number == 0 else None,
        )  # fmt: skip
