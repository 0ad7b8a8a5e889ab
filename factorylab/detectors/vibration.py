"""Vibration health: zones of the velocity RMS, and features that change either way at the same load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pydantic import Field

from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State, learn


class Zones(NamedTuple):
    """Velocity RMS in mm/s where a zone ends: A/B, B/C (no longer for long) and C/D (damage)."""

    a_b: float
    b_c: float
    c_d: float


ZONES: Mapping[str, Zones] = {
    "class I": Zones(0.71, 1.8, 4.5),  # ISO 10816-1, annex B: small machines
    "class II": Zones(1.12, 2.8, 7.1),
    "class III": Zones(1.8, 4.5, 11.2),
    "class IV": Zones(2.8, 7.1, 18),
    "group 2 rigid": Zones(1.4, 2.8, 4.5),  # ISO 10816-3 and 20816-3: 15–300 kW
    "group 2 flexible": Zones(2.3, 4.5, 7.1),
    "group 1 rigid": Zones(2.3, 4.5, 7.1),  # above 300 kW
    "group 1 flexible": Zones(3.5, 7.1, 11),
}


class VibrationParameters(Parameters):
    baseline: int = Field(200, ge=10, description="windows per load bin, taken as healthy; then frozen")
    warning: float = Field(4, gt=0, description="|z| of the worst feature above it is a warning")
    critical: float = Field(8, gt=0, description="|z| above it is critical")
    dwell: int = Field(3, ge=1, description="windows in a row: a feature of one window has heavy tails")
    hysteresis: float = Field(1, ge=0, description="an episode ends at limit − hysteresis")
    floor: float = Field(0.08, gt=0, description="least spread as a share of the mean: levels wander by that much")
    clip: float = Field(4, gt=0, description="while learning, one window moves mean and spread by no more s than this")


class Vibration(Detector):
    """Two-sided |z| of each feature against the healthy windows of the same load; the worst feature counts.

    Two-sided, and per load: a healthy gearbox can vibrate more than a broken one. Zones alone miss bearing faults,
    which are loud in kurtosis and crest factor long before the velocity rises. No conformity is claimed.
    """

    NAME = "vibration"
    MULTICHANNEL = True
    BINS = 21  # 10 % of load each
    Parameters = VibrationParameters

    def layout(self) -> np.dtype[np.void]:
        channels = (self.channels,)
        return np.dtype([("n", "<i8", channels), ("mean", "<f8", channels), ("variance", "<f8", channels)])

    @property
    def warm_up(self) -> int:
        return int(self.parameters.baseline)

    def step(self, state: State, values: Floats) -> Floats:
        p: VibrationParameters = self.parameters
        values = values.reshape(len(values), self.channels)
        learnt = state["n"][:, 0] >= p.baseline
        spread = np.maximum(np.sqrt(state["variance"]), p.floor * np.abs(state["mean"]))
        z = np.abs(values - state["mean"]) / np.where(spread > 0, spread, np.inf)
        scores = np.where(learnt, z.max(axis=1), 0.0)
        if not learnt.all():
            still = state[~learnt]
            learn(still, values[~learnt], 0.0, p.clip, warm_up=p.baseline // 4)
            state[~learnt] = still
        return scores

    @classmethod
    def bin_of(cls, load_percent: Floats) -> Ints:
        """The bin of a load; what is above twice the rated load shares one."""
        return np.minimum(load_percent / 10, cls.BINS - 1).astype(np.int64)

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: VibrationParameters = self.parameters
        levels = (Level(p.warning, "warning"), Level(p.critical, "critical"))
        return (Rule(f"{prefix}_change", 1, levels, p.hysteresis, p.dwell),)
