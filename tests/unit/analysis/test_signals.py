"""The statistics of a signal."""

from __future__ import annotations

import numpy as np
import pytest

from factorylab.analysis.signals import autocorrelation, compared, quantile_distance, spectrum

DICE = np.random.default_rng(1)


def test_autocorrelation_of_an_ar_1() -> None:
    """A process with coefficient 0.9 correlates with itself as 0.9^lag."""
    x = np.zeros(100_000)
    for at, shock in enumerate(DICE.normal(size=len(x) - 1), 1):
        x[at] = 0.9 * x[at - 1] + shock
    assert autocorrelation(x, np.array([1, 5, 20])) == pytest.approx([0.9, 0.59, 0.12], abs=0.03)


def test_the_spectrum_has_the_signals_power_and_tone() -> None:
    """The density integrates to the variance of the standardised signal, 1, and peaks at the tone."""
    hours = np.arange(8000) / 12
    frame = spectrum(np.sin(2 * np.pi * hours / 24) + 0.1 * DICE.normal(size=len(hours)), 1 / 12)
    power = frame["density"].sum() * frame["cycles_per_h"].diff().iloc[-1]
    assert power == pytest.approx(1, abs=0.15)
    assert frame.loc[frame["density"].idxmax(), "cycles_per_h"] == pytest.approx(1 / 24, rel=0.15)


def test_quantile_distance_tells_shapes_apart() -> None:
    """Two normal samples of any mean and scale are close, an exponential one is not."""
    normal, other = DICE.normal(size=20_000), 5 + 3 * DICE.normal(size=20_000)
    assert quantile_distance(normal, other) < 0.02
    assert 0.2 < quantile_distance(normal, DICE.exponential(size=20_000)) < 0.3


def test_the_numbers_are_of_either_signal() -> None:
    """Mean and spread of both, and correlations at lags of their own."""
    table = compared(np.arange(100.0) % 10, np.arange(400.0) % 20, {"period": (10, 20)})
    assert table.loc["mean"].tolist() == [4.5, 9.5]
    assert table.loc["autocorrelation, period"].tolist() == [1, 1]
