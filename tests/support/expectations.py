"""Predictions of handmade histories, by hand."""

from __future__ import annotations

from typing import Any

from factorylab.scenarios.prediction.structures import Case, FaultPrediction, Prediction, Quantity
from tests.support.histories import History

LEADER = "running; leads p0; follows p1, p2; coordinates the group; is the active controller"


def told(h: History, words: str = LEADER) -> History:
    """The cluster told these roles of the victim just before the injection."""
    h["faults"].loc[h["faults"]["step"] == "intended", "evidence"] = words
    return h


def expecting(*quantities: Quantity, **more: Any) -> Prediction:
    """A prediction of one fault whose victim is the active controller; another case says the opposite."""
    other = [Quantity(name=q.name, role=q.role, low_s=100, high_s=101, formula="f", source="s") for q in quantities]
    cases = [Case(controller=True, quantities=list(quantities)), Case(controller=False, quantities=other)]
    fault = FaultPrediction(**{"fault": 0, "kind": "kill", "target": "leader:0", "hold_s": 6, "cases": cases} | more)
    return Prediction(
        model=1, scenario="handmade", backend="local", coverage=0.95, draws=1, seed=1, inputs=[], faults=[fault]
    )


def time(name: str, role: Any, low_s: float | None, high_s: float | None) -> Quantity:
    return Quantity(name=name, role=role, low_s=low_s, high_s=high_s, formula="f", source="s")
