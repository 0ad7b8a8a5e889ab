"""Temperature of a machine, °C, a reading every 5 min of the plant's time.

    T = ambient 22 + day swing ±1.5 + rise · load, lagged with τ = 20 min
        + Ornstein–Uhlenbeck (sd 2, τ 6 h) + noise 0.15

The load is constant for 8 h at a time, 85–100 %. At full load a machine settles between 69 and 74 °C.
A loss of cooling drives it towards 86–112 °C with the same lag, and it cools down with that lag when repaired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from factorylab.factory.sensors.anomalies import Episodes
from factorylab.factory.sensors.noise import ALWAYS, Draw, Floats
from factorylab.factory.sensors.signal import MEAN_LOAD, Columns, Main, SignalModel, load

INTERVAL_S = 300
DAY = 86_400 // INTERVAL_S
LAG = 20 * 60 / INTERVAL_S  # readings
TAU = 6 * 3600 / INTERVAL_S
AMBIENT_C, SWING_C, WANDER_C, NOISE_C = 22.0, 1.5, 2.0, 0.15
LOAD_BLOCK = 96  # readings of one load
REPAIRED = 12  # readings before the end of an episode: three lags to cool down


def report(draw: Draw, found: Sequence[Episodes]) -> Columns:
    """`temperature_c` of some readings, their machines' faults included."""
    rise = _rise(draw)
    swing = SWING_C * np.sin(2 * np.pi * (draw.seq / DAY + draw.uniform(2, ALWAYS)))
    celsius = AMBIENT_C + swing + rise * lagged_load(draw) + WANDER_C * draw.wander(3, TAU) + NOISE_C * draw.normal(4)
    for group in found:
        if group.anomaly.name == "cooling_loss":
            peak = group.between(86, 112, 5)
            celsius[group.rows] += (peak - usual(group.draw)["temperature_c"].centre) * heated(group)
    return {"temperature_c": np.round(celsius, 3)}


def usual(draw: Draw) -> dict[str, Main]:
    """What is usual at the load's mean."""
    return {"temperature_c": Main(AMBIENT_C + MEAN_LOAD * _rise(draw), WANDER_C, NOISE_C)}


def _rise(draw: Draw) -> Floats:
    """Above ambient, at full load."""
    return draw.between(69, 74, 1, ALWAYS) - AMBIENT_C


def lagged_load(draw: Draw) -> Floats:
    """Share of the rated load, as a first-order lag follows its steps; steps before the last two no longer count."""
    block, since = draw.seq // LOAD_BLOCK, draw.seq % LOAD_BLOCK
    now, before, first = (load(draw, block - back) for back in range(3))
    return now + (before - now) * np.exp(-since / LAG) + (first - before) * np.exp(-(since + LOAD_BLOCK) / LAG)


def heated(group: Episodes) -> Floats:
    """How much of the way to its peak a machine has gone, 0 to 1."""
    broken = group.length - REPAIRED
    way: Floats = 1 - np.exp(-(np.minimum(group.since, broken) + 1) / LAG)
    way *= np.exp(-np.maximum(group.since - broken, 0) / LAG)
    return way


TEMPERATURE = SignalModel(report, usual)
