"""Energy of a machine, kWh for each 15 min of the plant's time, which begins on a Monday at 00:00.

The shape of the week, the residual and the idle level follow a steel plant's year (UCI 851, Sathishkumar et al. 2021):
idle 3.1–3.5; weekdays 08–21 h up to 46–66 with a dip at noon; Saturday a half, Sunday a quarter, 3 % of the weekdays
are holidays with a tenth. The residual is log-normal, AR(1) with 0.84. Its spread is smaller than the plant's, so that
a healthy machine stays below the limits of the rules.

    leak      4–9 kWh more, around the clock         left_on   12–20 kWh though it does not run
    outage    next to nothing though it runs
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from factorylab.factory.sensors.anomalies import Episodes
from factorylab.factory.sensors.noise import ALWAYS, Draw, Floats
from factorylab.factory.sensors.signal import Columns, Main, SignalModel

INTERVAL_S = 900
TAU = -1 / log(0.84)
RESIDUAL, IDLE_RESIDUAL, METER = 0.07, 0.03, 0.005  # standard deviations of the logarithm
HOLIDAY = 0.03
WEEKDAY = (0,) * 8 + (0.8, 1, 1, 1, 0.12, 0.85, 1, 1, 1, 1, 0.75, 0.85, 0.85) + (0,) * 3  # share of full load, by hour
WEEK = np.concatenate([np.tile(WEEKDAY, 5), np.multiply(WEEKDAY, 0.5), np.multiply(WEEKDAY, 0.25)])


def report(draw: Draw, found: Sequence[Episodes]) -> Columns:
    """`energy_kwh`, `running` and `hour_of_week` of some readings, their machines' faults included."""
    hour = draw.seq // 4 % 168
    holiday = (draw.plant().uniform(1, draw.seq // 96) < HOLIDAY) & (hour < 120)
    share = WEEK[hour] * np.where(holiday, 0.1, 1)
    running = share > 0
    full, idle = _full(draw), draw.between(3.1, 3.5, 3, ALWAYS)
    wander = draw.wander(4, TAU)
    kwh = np.where(running, np.maximum(full * share * np.exp(RESIDUAL * wander), idle), idle)
    kwh *= np.exp(np.where(running, METER, IDLE_RESIDUAL) * draw.normal(5))
    for group in found:
        rows = group.rows
        match group.anomaly.name:
            case "leak":
                kwh[rows] += group.between(4, 9, 6)
            case "left_on":
                kwh[rows], running[rows] = group.between(12, 20, 6) + 0.1 * group.draw.normal(7), False
            case "outage":
                kwh[rows], running[rows] = 0.02 * group.draw.uniform(7), True
    return {"energy_kwh": np.round(kwh, 3), "running": running, "hour_of_week": hour}


def usual(draw: Draw) -> dict[str, Main]:
    """What is usual in a shift."""
    full = _full(draw)
    return {"energy_kwh": Main(0.8 * full, RESIDUAL * full, METER * full)}


def _full(draw: Draw) -> Floats:
    """kWh of an interval at full load."""
    return draw.between(55, 62, 2, ALWAYS)


ENERGY = SignalModel(report, usual)
