"""The energy detector: days off in a region's demand, changes that stay, and what it learns of an hour."""

from __future__ import annotations

import numpy as np

from factorylab.detectors import detector_catalog
from factorylab.detectors.evaluation.detect import episodes
from factorylab.detectors.evaluation.score_table import judge
from factorylab.detectors.recordings.recording import Floats, Recording

DAY, HOUR = np.timedelta64(86_400_000_000, "us"), np.timedelta64(3_600_000_000, "us")
YEAR_DAYS, START = 364, np.datetime64("2024-01-01", "us")  # a Monday
HOLIDAYS = (95, 98, 120, 147, 200, 275, 351, 352)  # Friday and Monday, another Monday seven weeks on; two in a row
SUNDAY = 6


def demand(seed: int) -> Floats:
    """A year of hours: two peaks, quiet weekends, seasons, weather of some days; holidays are like Sundays."""
    rng = np.random.default_rng(seed)
    hours = np.arange(YEAR_DAYS * 24)
    day, hour = hours // 24, hours % 24
    weekday = np.where(np.isin(day, HOLIDAYS), SUNDAY, day % 7)
    awake = 1 / (1 + np.exp(6.5 - hour)) / (1 + np.exp((hour - 21.5) / 1.2))
    work = np.exp(-((hour - 12.5) ** 4) / 3_000) * np.select([weekday == SUNDAY, weekday == SUNDAY - 1], [0, 0.5], 1)
    evening = np.exp(-((hour - 18.5) ** 2) / 6) * (0.05 + 0.03 * np.cos(2 * np.pi * day / YEAR_DAYS))
    season = 1 + 0.1 * np.cos(2 * np.pi * (day - 20) / YEAR_DAYS)
    weather = np.convolve(rng.normal(0, 1, len(hours) + 47), np.full(48, 48**-0.5), "valid")
    noise = np.exp(0.015 * weather + rng.normal(0, 0.007, len(hours)))
    values: Floats = 8_000 * (0.7 + 0.08 * awake + 0.22 * work + evening) * season * noise
    return values


def with_windows(values: Floats, days: tuple[int, ...]) -> Recording:
    """The hours as a recording whose windows are the `days`; a stamp is the end of its hour."""
    times = START + (np.arange(len(values)) + 1) * HOUR
    windows = tuple((START + day * DAY + HOUR, START + (day + 1) * DAY) for day in days)
    truth = np.isin(np.arange(len(values)) // 24, days)
    return Recording("demand", times, values[:, None], ("MW",), truth, windows, np.ones(len(values), bool))


def test_a_holiday_does_not_hide_the_next() -> None:
    """At least 7 of a year's 8 holidays are found, at ≤ 0.2 false alarms a week; a fixed limit finds none."""
    found, fixed, _ = judge([with_windows(demand(2), HOLIDAYS)], "energy").scores
    assert found.windows == 8 and found.windows_found >= 7
    assert found.false_alarms_per_week is not None and found.false_alarms_per_week <= 0.2
    assert fixed.windows_found == 0


def test_what_stays_becomes_usual() -> None:
    """A region that takes a fifth less from one week on is told at once, and no more five weeks later."""
    values = demand(3)[: 24 * 7 * 17]
    change = 24 * 7 * 10
    values[change:] *= 0.8
    scores = scored(values)
    assert scores[change + 8 : change + 12].min() > 3
    _, starts = episodes(detector_catalog.build("energy", {"hour_readings": 1}).rules("")[0], scores)
    assert starts[change : change + 24].any() and not starts[24 * 7 * 15 :].any()


def test_an_hour_is_learnt_when_it_is_over() -> None:
    """Four readings of an hour that are equally wrong stand out equally."""
    day = np.repeat(100 + 50 * np.sin(np.arange(24) / 24 * np.pi), 4)
    values = np.tile(day, 7 * 5) * np.random.default_rng(1).normal(1, 0.01, 96 * 7 * 5)
    wrong = 96 * 7 * 4 + 48
    values[wrong : wrong + 4] = 110
    scores = scored(values, hour_readings=4)[wrong : wrong + 4]
    assert scores.min() > 10 and scores.max() - scores.min() < 0.01 * scores.max()


def test_nothing_and_less_than_nothing_are_values_too() -> None:
    """A meter that stands at 0 at night and runs backwards at noon gives finite scores, and its own stop stands out."""
    rng = np.random.default_rng(1)
    sun = -np.maximum(0, np.sin((np.arange(24 * 7 * 6) % 24 - 6) / 12 * np.pi))
    values = 50 * np.round(sun, 3) * rng.uniform(0.9, 1.1, len(sun))
    values[-24:] = 0
    scores = scored(values)
    assert np.isfinite(scores).all() and scores[-16:-9].min() > 3


def scored(values: Floats, hour_readings: int = 1) -> Floats:
    """Scores of one sensor from Monday 0:00 on."""
    detector = detector_catalog.build("energy", {"hour_readings": hour_readings})
    hours = np.arange(len(values)) // hour_readings % 168
    return detector.score(np.zeros(len(values), np.int64), values, hours * 2 + 1)
