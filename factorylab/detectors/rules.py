"""The rules that run, kind by kind, each on a measure made of a reading's columns.

| rule | measure | limits | where they come from |
|---|---|---|---|
| temperature_high | temperature_c | > 80 warning, > 100 critical, clear 2 lower | the factory's specification |
| velocity_high | velocity_mm_s (RMS) | > 4.5 warning, > 7.1 critical, clear 0.3 lower | zone limits B/C and C/D of
  ISO 10816-3, group 1 on a rigid and group 2 on a flexible support; no conformity is claimed |
| left_on | energy_kwh while not running | > 8 warning, clear 2 lower | twice an idle interval of 3–3.5 kWh |
| energy_spike | energy_kwh | > 85 critical, clear 10 lower | well above a full-load interval of 46–66 kWh |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from factorylab.detectors.levels import Floats, Level, Rule

Columns = Mapping[str, NDArray[np.float64] | NDArray[np.bool_]]
Measure = Callable[[Columns], Floats]

TEMPERATURE_HIGH = Rule("temperature_high", 1, (Level(80, "warning"), Level(100, "critical")), hysteresis=2)
VELOCITY_HIGH = Rule("velocity_high", 1, (Level(4.5, "warning"), Level(7.1, "critical")), hysteresis=0.3)
LEFT_ON = Rule("left_on", 1, (Level(8, "warning"),), hysteresis=2)
ENERGY_SPIKE = Rule("energy_spike", 1, (Level(85, "critical"),), hysteresis=10)


def _column(name: str) -> Measure:
    return lambda columns: np.asarray(columns[name], np.float64)


def _while_stopped(columns: Columns) -> Floats:
    return np.where(columns["running"], 0.0, columns["energy_kwh"])


RULES: Mapping[str, tuple[tuple[Rule, Measure], ...]] = {
    "temperature": ((TEMPERATURE_HIGH, _column("temperature_c")),),
    "vibration": ((VELOCITY_HIGH, _column("velocity_mm_s")),),
    "energy": ((LEFT_ON, _while_stopped), (ENERGY_SPIKE, _column("energy_kwh"))),
}
