"""The chart: what wanders while all is well, faults in one channel or in several, and short recordings."""

from __future__ import annotations

import numpy as np
import pytest

from factorylab.detectors import detector_catalog
from factorylab.detectors.evaluation.score_table import judge
from factorylab.detectors.recordings.recording import Floats, Recording

ROWS, FAULT = 1_200, slice(800, 1_100)


def machine(seed: int, channels: int, rows: int = ROWS) -> Floats:
    """Channels of autocorrelated noise."""
    noise = np.random.default_rng(seed).normal(0, 1, (rows + 8, channels))
    return 100 + np.stack([np.convolve(column, np.full(9, 1 / 3), "valid") for column in noise.T], axis=1)


def scored(values: Floats, **given: float) -> Floats:
    """Scores of one machine."""
    return detector_catalog.build("chart", given, values.shape[1]).score(np.zeros(len(values), np.int64), values)


def test_a_channel_that_wanders_is_followed() -> None:
    """A temperature that rises by six σ in ten thousand readings is as good as never above the limit, where it would be
    nearly half of the time if the mean stood still."""
    values = machine(1, 4, 10_000)
    values[:, 0] += np.linspace(0, 6, len(values))
    assert np.mean(scored(values) > 1.6) < 0.002
    assert np.mean(scored(values, follow=10**9) > 1.6) > 0.4


@pytest.mark.parametrize("channels", [1, 2, 8, 16])
def test_one_limit_suits_few_channels_and_many(channels: int) -> None:
    """A healthy machine stays below the limit, and a shift of half a σ more than it takes in all channels is above."""
    values = machine(2, channels)
    assert scored(values).max() < 1.6
    values[FAULT] += 1.6 * np.sqrt((channels + 6) / channels) + 1
    assert scored(values)[FAULT][50:].mean() > 1.6


def test_a_fault_is_not_learnt_while_it_lasts() -> None:
    """A fault of three hundred readings is on at its end as at its begin, and what comes after it is healthy."""
    values = machine(3, 8)
    values[FAULT, 2] += 8
    found = scored(values) > 1.6
    assert found[FAULT][40:].mean() > 0.95 and not found[FAULT.stop + 60 :].any()


def test_of_a_short_recording_most_is_scored() -> None:
    """Five hundred rows with a fault from the 260th on: it is learnt from two hundred, and the fault is found."""
    values = machine(4, 4, 500)
    values[260:420] += 6
    truth = np.zeros(500, bool)
    truth[260:420] = True
    times = np.datetime64("2024-01-01", "us") + np.arange(500) * np.timedelta64(1_000_000, "us")
    found = judge([Recording("r", times, values, tuple("abcd"), truth, None, np.ones(500, bool))]).scores[0]
    assert found.rows == 300 and found.f1 is not None and found.f1 > 0.9
