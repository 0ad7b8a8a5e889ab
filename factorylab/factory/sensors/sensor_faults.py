"""What a faulty sensor makes of its machine's signal. σ is the measure's slow spread (`Main.spread`).

    spike       5–10 σ up or down for 1–3 readings          noise       the fast noise 3–5 times as strong
    bias        2–5 σ up or down                            clipping    nothing above centre + 0.3 σ
    drift       up or down, 0.5–5 σ by the episode's end    missing     no readings at all: a gap in `seq`
    stuck       all that it measures stays as it was        clock_back  time stamps 55 min too early

At a temperature sensor with σ = 2 °C a drift is 0.05 to 0.9 °C an hour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from factorylab.factory.sensors.anomalies import Episodes
from factorylab.factory.sensors.noise import Floats
from factorylab.factory.sensors.signal import Columns, Main, SignalModel

CHANGING = ("spike", "bias", "drift", "noise", "clipping")
OF_MACHINE = {"load_percent", "running", "hour_of_week"}  # known from elsewhere, not measured by the sensor
CLIP = 0.3
LATE_S = 55 * 60
_SIZE, _SIGN, _NOISE = range(910, 913)  # streams of noise


def distort(columns: Columns, found: Sequence[Episodes], model: SignalModel) -> None:
    """Change `columns` in place; `missing` and `clock_back` change no value."""
    for group in found:
        if group.anomaly.name == "stuck":
            before = model.report(group.draw.at(np.arange(len(group.rows)), group.start), ())
            for name in columns.keys() - OF_MACHINE:
                columns[name][group.rows] = before[name]
        elif group.anomaly.name in CHANGING:
            for name, usual in model.usual(group.draw).items():
                column = columns[name]
                column[group.rows] = np.round(_distorted(group, column[group.rows].astype(float), usual), 4)


def _distorted(group: Episodes, true: Floats, usual: Main) -> Floats:
    """Readings of one measure in `group`; none is below 0."""
    spread = usual.spread
    sign = group.sign(_SIGN)
    match group.anomaly.name:
        case "spike":
            seen = true + sign * group.between(5, 10, _SIZE) * spread
        case "bias":
            seen = true + sign * group.between(2, 5, _SIZE) * spread
        case "drift":
            seen = true + sign * group.between(0.5, 5, _SIZE) * spread * (group.since + 1) / group.length
        case "noise":
            times = group.between(3, 5, _SIZE)
            seen = true + np.sqrt(times**2 - 1) * usual.noise * group.draw.normal(_NOISE)
        case _:  # clipping
            seen = np.minimum(true, usual.centre + CLIP * spread)
    return np.maximum(seen, 0)
