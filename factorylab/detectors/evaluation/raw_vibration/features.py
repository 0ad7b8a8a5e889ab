"""Features of windows of raw acceleration, for the detector `vibration`: whatever the unit, none is ever negative.

Of each channel the four that a fleet sends (`window.features`), and how its power is shared among octaves; of each
two channels 1 + their correlation. The octaves lie below half the sampling rate, so a slowly sampled rig has as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from factorylab.detectors.vibration_window import BAND_HZ, STILL_G, spectrum
from factorylab.detectors.vibration_window import features as of_window

Floats = NDArray[np.float64]
OCTAVES = 6
LINES = 3  # of the spectrum that an octave has at least: one line alone scatters like a coin
LEAST_SAMPLES = 64


@dataclass(frozen=True)
class Sampling:
    """How windows were sampled; `channels` are their names."""

    rate_hz: float
    samples: int
    channels: tuple[str, ...]

    @property
    def velocity_band_hz(self) -> tuple[float, float] | None:
        """What the spectrum, from its first line to half the rate, has of the velocity's band; None: nothing."""
        low, high = max(BAND_HZ[0], self.rate_hz / self.samples), min(BAND_HZ[1], self.rate_hz / 2)
        return (low, high) if low < high else None

    @property
    def octaves(self) -> list[slice]:
        """Lines of the spectrum, from the highest octave down; the last slice has all that is below."""
        found, end = [], self.samples // 2 + 1
        for octave in range(1, OCTAVES + 1):
            start = self.samples // 2 ** (octave + 1)
            if end - start < LINES or start < LINES:
                break
            found.append(slice(start, end))
            end = start
        return [*found, slice(1, end)]


def cut(samples: Floats, size: int) -> Floats:
    """Consecutive windows, (windows, size, channels) of (rows, channels), without an incomplete last one."""
    count = len(samples) // size
    return samples[: count * size].reshape(count, size, samples.shape[1])


def names_of(sampling: Sampling) -> list[str]:
    """The features, in the order of the columns of `features`."""
    kinds = ["velocity"] * (sampling.velocity_band_hz is not None) + ["RMS", "crest factor", "kurtosis"]
    kinds += [f"octave {at}" for at, _ in enumerate(sampling.octaves, 1)]
    pairs = [f"correlation {a}/{b}" for a, b in combinations(sampling.channels, 2)]
    return [f"{kind} {channel}" for kind in kinds for channel in sampling.channels] + pairs


def features(windows: Floats, sampling: Sampling) -> Floats:
    """One row of features a window; `windows` has the shape (windows, samples, channels)."""
    x = np.moveaxis(windows - windows.mean(axis=1, keepdims=True), 1, 2)
    found = of_window(x, sampling.rate_hz)
    parts = [found.velocity_mm_s] if sampling.velocity_band_hz is not None else []
    parts += [found.acceleration_g, found.crest_factor, found.kurtosis, *_octaves(x, sampling)]
    return np.concatenate([*parts, _correlations(x, found.acceleration_g)], axis=1)


def _octaves(x: Floats, sampling: Sampling) -> list[Floats]:
    """Shares of the RMS: the root of each octave's part of the power."""
    power = spectrum(x, sampling.rate_hz)[1]
    total = power[..., 1:].sum(axis=-1)
    total = np.where(total > STILL_G**2, total, np.inf)
    return [np.sqrt(power[..., lines].sum(axis=-1) / total) for lines in sampling.octaves]


def _correlations(x: Floats, rms: Floats) -> Floats:
    """1 + r of each two channels, 0 to 2; 1 where one of them stands still."""
    unit = x / np.where(rms > STILL_G, rms, np.inf)[..., None]
    pairs = list(combinations(range(x.shape[1]), 2))
    found = [1 + (unit[:, a] * unit[:, b]).mean(axis=-1) for a, b in pairs]
    return np.stack(found, axis=1) if found else np.zeros((len(x), 0))
