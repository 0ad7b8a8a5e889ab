"""Figures of sensors' signals: a simulated one beside a recorded one, and healthy beside faulty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from factorylab.analysis.signals import SHARES, Floats, autocorrelation, spectrum, standard
from factorylab.report.plots import draw
from factorylab.report.plots.style import BLACK, BLUE, ORANGE, Picture, settled, styled

LAGS = 60
UNITS = {
    "temperature_c": "°C",
    "velocity_mm_s": "mm/s RMS",
    "acceleration_g": "g RMS",
    "kurtosis": "kurtosis",
    "energy_kwh": "kWh",
}
Style = tuple[str, str]  # colour and line
OURS, THEIRS = (BLUE, "-"), (ORANGE, "--")


class Series(Protocol):
    """One evenly sampled measure."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def interval_h(self) -> float: ...
    @property
    def values(self) -> Floats: ...


def compare(ours: pd.DataFrame, measure: str, theirs: Series | None, span_h: float) -> Picture:
    """`span_h` hours of either signal, then distribution, autocorrelation and spectrum, all of the standardised one.

    `ours` has the columns hours and `measure`.
    """
    interval_h, values = float(ours["hours"].iloc[1]), ours[measure].to_numpy(float)
    with styled():
        figure = Picture(figsize=(9, 5.4))
        axes = figure.subplot_mosaic("aaabbb;ccddee")
        _excerpt(axes["a"], values, interval_h, span_h, title=f"Simulated: {measure}", style=OURS)
        _describe(axes, values, interval_h, "simulated", OURS)
        if theirs is None:
            axes["b"].set_axis_off()
        else:
            _excerpt(
                axes["b"], theirs.values, theirs.interval_h, span_h, title=f"Recorded: {theirs.name}", style=THEIRS
            )
            axes["b"].set_ylabel(theirs.unit)
            _describe(axes, theirs.values, theirs.interval_h, "recorded", THEIRS)
        axes["a"].set_ylabel(UNITS[measure])
        axes["c"].set(title="Distribution", xlabel="share of readings below", ylabel="standard deviations")
        axes["d"].set(title="Autocorrelation", xlabel="lag, readings", ylabel="correlation")
        axes["e"].set(title="Spectrum", xlabel="cycles per hour", ylabel="power density", xscale="log", yscale="log")
        axes["c"].legend()
        return settled(figure)


def _excerpt(ax: Axes, values: Floats, interval_h: float, span_h: float, *, title: str, style: Style) -> None:
    count = min(len(values), round(span_h / interval_h))
    start = (len(values) - count) // 2
    hours = np.arange(count) * interval_h
    unit, scale = ("days", 24) if hours[-1] > 72 else ("hours", 1) if hours[-1] > 1 else ("minutes", 1 / 60)
    ax.plot(hours / scale, values[start : start + count], color=style[0], linewidth=0.9)
    ax.set(title=title, xlabel=unit)


def _describe(axes: Mapping[str, Axes], values: Floats, interval_h: float, name: str, style: Style) -> None:
    lags = np.arange(1, LAGS + 1)
    power = spectrum(values, interval_h)
    axes["c"].plot(SHARES, np.quantile(standard(values), SHARES), color=style[0], linestyle=style[1], label=name)
    axes["d"].plot(lags, autocorrelation(values, lags), color=style[0], linestyle=style[1], label=name)
    axes["e"].plot(power["cycles_per_h"], power["density"], color=style[0], linestyle=style[1], label=name, linewidth=1)


def faults(frames: Mapping[str, pd.DataFrame], usual: pd.DataFrame, measures: Sequence[str]) -> Picture:
    """One column a fault, one row a measure: with it (solid) and without it (dotted), its readings shaded.

    Frames have the columns hours, faulty and the measures; `usual` is at least as long, and its beginning is shown.
    """
    across = min(3, len(frames))
    down = -(-len(frames) // across)
    with styled():
        figure = Picture(figsize=(9, 1.5 * down * len(measures) + 0.5))
        grid = figure.subplots(down * len(measures), across, squeeze=False, sharex=True)
        for ax in grid.flat:
            ax.set_visible(False)
        for number, (name, frame) in enumerate(frames.items()):
            for row, measure in enumerate(measures):
                ax = grid[number // across * len(measures) + row, number % across]
                ax.set_visible(True)
                _fault(ax, frame, usual, measure)
                if row == 0:
                    ax.set_title(name.replace("_", " "))
                if number % across == 0:
                    ax.set_ylabel(UNITS[measure])
        for ax in grid[-1]:
            ax.set_xlabel("hours")
        for at in range(across):
            last = [ax for ax in grid[:, at] if ax.get_visible()][-1]
            last.tick_params(labelbottom=True)
            last.set_xlabel("hours")
        return settled(figure)


def _fault(ax: Axes, frame: pd.DataFrame, usual: pd.DataFrame, measure: str) -> None:
    hours = frame.loc[frame["faulty"], "hours"]
    window = pd.DataFrame({"start_s": [hours.min()], "end_s": [hours.max()], "text": [""]})
    draw.shade_faults(ax, window)
    usual = usual.iloc[: len(frame)]
    ax.plot(usual["hours"], usual[measure], color=BLACK, linestyle=":", linewidth=1)
    ax.plot(frame["hours"], frame[measure], color=BLUE, linewidth=1.1)
    ax.yaxis.set_major_locator(MaxNLocator(4))


def windows(samples: Mapping[str, Floats], rate_hz: float = 12_800, shown_s: float = 0.12) -> Picture:
    """One row a state: the beginning of a window of acceleration, and the spectrum of all of it."""
    with styled():
        figure = Picture(figsize=(9, 1.25 * len(samples) + 0.4))
        grid = figure.subplots(len(samples), 2, sharex="col", width_ratios=[1.2, 1])
        for (left, right), (name, x) in zip(grid, samples.items(), strict=True):
            t = np.arange(len(x)) / rate_hz
            amplitude = 2 * np.abs(np.fft.rfft(x * np.hanning(len(x)))) / np.hanning(len(x)).sum()
            left.plot(1000 * t[t < shown_s], x[t < shown_s], color=BLUE, linewidth=0.7)
            right.semilogy(np.fft.rfftfreq(len(x), 1 / rate_hz), amplitude, color=BLUE, linewidth=0.7)
            right.set_ylim(1e-4, 1)
            left.set(title=name, ylabel="g")
            right.set_ylabel("g, peak")
        grid[-1, 0].set_xlabel("milliseconds")
        grid[-1, 1].set_xlabel("Hz")
        return settled(figure)
