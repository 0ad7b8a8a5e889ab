"""Threshold: the value itself is the score."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from factorylab.detectors.levels import Floats, Ints, Level, Rule
from factorylab.detectors.streaming import Detector, Parameters, State


class ThresholdParameters(Parameters):
    warning: float = Field(80, description="above it (strictly) is a warning; the factory's specification, °C")
    critical: float | None = Field(100, description="above it is critical; the factory's specification, °C")
    hysteresis: float = Field(2, ge=0, description="an episode ends at limit − hysteresis; the specification, °C")
    dwell: int = Field(3, ge=1, description="readings in a row above a limit that raise it; against single outliers")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.critical is not None and self.critical <= self.warning:
            raise ValueError(f"critical ({self.critical}) must lie above warning ({self.warning})")
        return self


class Threshold(Detector):
    """The value is above a limit. Use it where a limit is known: it needs no history and forgets nothing."""

    NAME = "threshold"
    Parameters = ThresholdParameters

    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        scores[:] = values

    def rules(self, prefix: str) -> tuple[Rule, ...]:
        p: ThresholdParameters = self.parameters
        levels = (Level(p.warning, "warning"),) + (() if p.critical is None else (Level(p.critical, "critical"),))
        return (Rule(f"{prefix}_high", 1, levels, p.hysteresis, p.dwell),)
