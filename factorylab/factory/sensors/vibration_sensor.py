"""Vibration of a machine: the features of one window of acceleration, a reading every 5 min of the plant's time.

A healthy machine turns at 25–30 Hz and shakes with 1.2–2.2 mm/s RMS at the shaft's speed (log-normal wander, sd 0.12,
τ 6 h), a gear tone of 0.02 g and noise of 0.045 g, both a little less at partial load: about 0.06 g RMS, kurtosis 2.9.

    imbalance       the shaft's tone rises by 4–9 mm/s within 8 readings
    bearing_*       impulses whose peak grows as s₀·e^(t/τ) from 0.1 to 0.6–2 g; the velocity hardly notices
    cavitation      noise two to four times as strong, in bursts

The features of a state are those of `window.expected`; each reading scatters about them as features of measured windows
do (`SCATTER`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from factorylab.detectors.vibration_window import BEARINGS, Machine, expected
from factorylab.factory.sensors.anomalies import Episodes
from factorylab.factory.sensors.noise import ALWAYS, Draw, Floats
from factorylab.factory.sensors.signal import Columns, Main, SignalModel, load
from factorylab.factory.sensors.temperature_sensor import LOAD_BLOCK, TAU

WANDER, ROUGHNESS = 0.12, 0.05  # standard deviations of the logarithms of the tone and of the noise
GEAR_G, NOISE_G = 0.02, 0.045
FIRST_G = 0.1  # impulses of a bearing that has just been damaged
BUILT_UP = 8  # readings until an imbalance has its full size
# Standard deviation between windows of one state: mm/s at NOISE_G, else relative; the kurtosis of impulses more.
SCATTER = {"velocity_mm_s": 0.05, "acceleration_g": 0.01, "crest_factor": 0.065, "kurtosis": 0.023, "impulses": 0.03}


def report(draw: Draw, found: Sequence[Episodes]) -> Columns:
    """The features of some windows and the load, their machines' faults included."""
    share = load(draw, draw.seq // LOAD_BLOCK)
    machine = faulty(healthy(draw, share), found)
    mean = expected(machine)
    impulsive = SCATTER["kurtosis"] + SCATTER["impulses"] * np.clip((mean.kurtosis - 3) / 5, 0, 1)
    velocity = mean.velocity_mm_s + SCATTER["velocity_mm_s"] * machine.noise_g / NOISE_G * draw.normal(6)
    return {
        "velocity_mm_s": np.round(np.maximum(velocity, 0), 3),
        "acceleration_g": np.round(mean.acceleration_g * (1 + SCATTER["acceleration_g"] * draw.normal(7)), 4),
        "crest_factor": np.round(mean.crest_factor * (1 + SCATTER["crest_factor"] * draw.normal(8)), 3),
        "kurtosis": np.round(np.maximum(mean.kurtosis * (1 + impulsive * draw.normal(9)), 1), 3),
        "load_percent": np.round(100 * share, 1),
    }


def usual(draw: Draw) -> dict[str, Main]:
    """What is usual for the two levels."""
    mean = expected(healthy_centre(draw))
    levels = {"velocity_mm_s": mean.velocity_mm_s, "acceleration_g": mean.acceleration_g}
    return {name: Main(level, WANDER * level, SCATTER[name] * level) for name, level in levels.items()}


def healthy_centre(draw: Draw) -> Machine:
    """What a machine is like on average."""
    zero = np.zeros(len(draw.seq))
    return Machine(
        shaft_hz=draw.between(25, 30, 1, ALWAYS),
        tone_mm_s=draw.between(1.2, 2.2, 2, ALWAYS),
        gear_g=zero + GEAR_G,
        noise_g=zero + NOISE_G,
        impulse_g=zero.copy(),
        per_turn=zero.copy(),
        swell=zero.copy(),
        burst=zero.copy(),
    )


def healthy(draw: Draw, share: Floats) -> Machine:
    """The same as it wanders; `share` of the rated load."""
    machine = healthy_centre(draw)
    machine.tone_mm_s[:] *= np.exp(WANDER * draw.wander(3, TAU))
    machine.noise_g[:] *= (0.7 + 0.33 * share) * np.exp(ROUGHNESS * draw.wander(4, TAU))
    machine.gear_g[:] *= 0.5 + 0.55 * share
    return machine


def faulty(machine: Machine, found: Sequence[Episodes]) -> Machine:
    """`machine`, changed in place by the faults of some of its rows."""
    for group in found:
        rows, name = group.rows, group.anomaly.name
        if name == "imbalance":
            machine.tone_mm_s[rows] += group.between(4, 9, 10) * np.minimum((group.since + 1) / BUILT_UP, 1)
        elif name == "cavitation":
            machine.noise_g[rows] *= group.between(2, 4, 10)
            machine.burst[rows] = group.between(0.4, 0.9, 11)
        elif name in BEARINGS:
            growth = np.log(group.between(0.6, 2, 10)) - log(FIRST_G)
            machine.impulse_g[rows] = FIRST_G * np.exp(growth * (group.since + 1) / group.length)
            machine.per_turn[rows], machine.swell[rows] = BEARINGS[name]
    return machine


VIBRATION = SignalModel(report, usual)
