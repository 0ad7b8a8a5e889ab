"""Which detectors the factory runs, kind by kind, each on a measure made of a reading's columns.

| alert | measure | raised | where it comes from |
|---|---|---|---|
| temperature_high | temperature_c | > 80 warning, > 100 critical, clear 2 lower | the factory's specification |
| velocity_high | velocity_mm_s (RMS) | > 4.5 warning, > 7.1 critical, clear 0.3 lower | zone limits B/C and C/D of
  ISO 10816-3, group 1 on a rigid and group 2 on a flexible support; no conformity is claimed |
| vibration_change | acceleration, kurtosis, crest factor | detector `vibration`, per 10 % of load | see vibration.py |
| left_on | energy_kwh while not running | > 8 warning, clear 2 lower | twice an idle interval of 3–3.5 kWh |
| energy_spike | energy_kwh | > 85 critical, clear 10 lower | well above a full-load interval of 46–66 kWh |
| energy_pattern, energy_jump | energy_kwh | detector `energy`, per hour of the week and state | see energy.py |
| temperature_spike, temperature_level | temperature_c | detectors `spike` and `level` | see spike.py, drift.py |
| …_stuck, …_missing, …_range | each kind's main measure, seq | the sensor, not the machine | see those files |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factorylab.detectors.detector_catalog import build
from factorylab.detectors.energy import Energy
from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector
from factorylab.detectors.vibration import ZONES, Vibration

Columns = Mapping[str, NDArray[Any]]
Measure = Callable[[Columns], Floats]

_ZONES = ZONES["group 1 rigid"]
TEMPERATURE_HIGH = Rule("temperature_high", 1, (Level(80, "warning"), Level(100, "critical")), hysteresis=2)
VELOCITY_HIGH = Rule("velocity_high", 1, (Level(_ZONES.b_c, "warning"), Level(_ZONES.c_d, "critical")), hysteresis=0.3)
LEFT_ON = Rule("left_on", 1, (Level(8, "warning"),), hysteresis=2)
ENERGY_SPIKE = Rule("energy_spike", 1, (Level(85, "critical"),), hysteresis=10)


@dataclass(frozen=True)
class RuleSet:
    """Rules over a measure, or over the scores that a detector makes of it, with a state per sensor and bin."""

    name: str
    measure: Measure
    rules: tuple[Rule, ...]
    detector: Detector | None = None
    bins: Callable[[Columns], Ints] | None = None


def _column(name: str) -> Measure:
    return lambda columns: np.asarray(columns[name], np.float64)


def _columns(*names: str) -> Measure:
    return lambda columns: np.stack([columns[name] for name in names], axis=1)


def _while_stopped(columns: Columns) -> Floats:
    return np.where(columns["running"], 0.0, columns["energy_kwh"])


def _load_bin(columns: Columns) -> Ints:
    return Vibration.bin_of(columns["load_percent"])


def _hour(columns: Columns) -> Ints:
    return Energy.bin_of(columns["hour_of_week"], columns["running"])


def _limits(rule: Rule, measure: Measure) -> RuleSet:
    return RuleSet(rule.name, measure, (rule,))


def _watch(
    kind: str,
    detector: str,
    measure: Measure,
    bins: Callable[[Columns], Ints] | None = None,
    channels: int = 1,
    **parameters: float,
) -> RuleSet:
    built = build(detector, parameters, channels)
    return RuleSet(f"{kind}_{detector}", measure, built.rules(kind), built, bins)


def _sensor(kind: str, measure: Measure, low: float, high: float) -> tuple[RuleSet, ...]:
    """Is the sensor itself in order? The physical limits are those beyond which no such machine can be."""
    return (
        _watch(kind, "range", measure, low=low, high=high),
        _watch(kind, "missing", _column("seq")),
        _watch(kind, "stuck", measure),
    )


def watches(kind: str) -> tuple[RuleSet, ...]:
    """New watches for readings of `kind`, in the order in which they look; what is about the sensor itself first."""
    if kind == "temperature":
        value = _column("temperature_c")
        return (
            *_sensor(kind, value, -40, 250),
            _limits(TEMPERATURE_HIGH, value),
            _watch(kind, "spike", value),
            _watch(kind, "level", value),
        )
    if kind == "vibration":
        value = _column("velocity_mm_s")
        features = _columns("acceleration_g", "kurtosis", "crest_factor")
        return (
            *_sensor(kind, value, 0, 200),
            _limits(VELOCITY_HIGH, value),
            _watch(kind, "vibration", features, _load_bin, channels=3),
        )
    value = _column("energy_kwh")
    return (
        *_sensor(kind, value, 0, 1000),
        _limits(LEFT_ON, _while_stopped),
        _limits(ENERGY_SPIKE, value),
        _watch(kind, "energy", value, _hour),
    )
