"""How much alike are two signals: distribution, autocorrelation, spectrum. Series in, numbers or frames out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHARES = np.arange(0.01, 1, 0.01)
SEGMENTS = 8
DISTANCE = "quantile distance of the shapes"


def standard(values: Floats) -> Floats:
    """Values less their mean, in units of their standard deviation."""
    units: Floats = (values - values.mean()) / values.std()
    return units


def autocorrelation(values: Floats, lags: NDArray[np.int64]) -> Floats:
    """Pearson's correlation of a signal (evenly sampled) with itself `lags` > 0 samples later."""
    return np.array([np.corrcoef(values[:-lag], values[lag:])[0, 1] for lag in lags])


def spectrum(values: Floats, interval_h: float) -> pd.DataFrame:
    """Power density of the standardised signal (1 / (cycles per hour)) by frequency (cycles per hour).

    Welch (1967): the mean of Hann-windowed periodograms of pieces that overlap by half.
    """
    x = standard(values)
    length = 2 * len(x) // (SEGMENTS + 1)
    hann = np.hanning(length)
    pieces = [x[at : at + length] for at in range(0, len(x) - length + 1, length // 2)]
    powers = [np.abs(np.fft.rfft((piece - piece.mean()) * hann)) ** 2 for piece in pieces]
    density = 2 * interval_h * np.mean(powers, axis=0) / (hann**2).sum()
    frame = pd.DataFrame({"cycles_per_h": np.fft.rfftfreq(length, interval_h), "density": density})
    return frame.iloc[1:]


def quantile_distance(one: Floats, other: Floats) -> float:
    """Mean distance of the 1st to 99th percentiles after both were standardised: 0 for the same shape.

    Two normal samples are about 0.01 apart, an exponential and a normal one about 0.24.
    """
    return float(np.abs(np.quantile(standard(one), SHARES) - np.quantile(standard(other), SHARES)).mean())


def compared(simulated: Floats, recorded: Floats, lags: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """The numbers beside the figures; `lags` are words and the lag in samples of either signal."""
    rows = {
        "mean": (simulated.mean(), recorded.mean()),
        "standard deviation": (simulated.std(), recorded.std()),
        "spread / mean": (simulated.std() / simulated.mean(), recorded.std() / recorded.mean()),
        "sd of steps / sd": (np.diff(simulated).std() / simulated.std(), np.diff(recorded).std() / recorded.std()),
    }
    for word, (ours, theirs) in lags.items():
        mine, real = autocorrelation(simulated, np.array([ours])), autocorrelation(recorded, np.array([theirs]))
        rows[f"autocorrelation, {word}"] = (mine[0], real[0])
    frame = pd.DataFrame(rows, index=["simulated", "recorded"]).T.round(3)
    distance = pd.DataFrame({"recorded": [quantile_distance(simulated, recorded)]}, index=[DISTANCE]).round(3)
    return pd.concat([frame, distance])
