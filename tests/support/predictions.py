"""Predictions of scenarios with the lab's own clients, and what a test asks of them."""

from __future__ import annotations

from typing import Any

from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.prediction.predict import predict
from factorylab.scenarios.prediction.settings import EffectiveSettings, set_by
from factorylab.scenarios.prediction.structures import Case, Prediction, Quantity

PRODUCER = {
    "acks": "all", "enable.idempotence": "true", "socket.timeout.ms": 10_000,
    "topic.metadata.refresh.interval.ms": 10_000,
}  # fmt: skip
CONSUMER = {
    "socket.timeout.ms": 10_000, "topic.metadata.refresh.interval.ms": 10_000, "session.timeout.ms": 20_000,
    "heartbeat.interval.ms": 3_333, "fetch.wait.max.ms": 50,
}  # fmt: skip
NOWHERE = float("nan")


def of(
    wanted: Scenario,
    broker: dict[str, Any] | None = None,
    producer: dict[str, Any] | None = None,
    consumer: dict[str, Any] | None = None,
) -> Prediction:
    """The prediction of a scenario, with these settings over the profiles' own."""
    own = {"acks": wanted.clients.acks, "enable.idempotence": str(wanted.clients.idempotent).lower()}
    settings = EffectiveSettings(
        broker=set_by("test", broker or {}),
        producer=set_by("test", {**PRODUCER, **own, **(producer or {})}),
        consumer=set_by("test", {**CONSUMER, **(consumer or {})}),
    )
    return predict(wanted, settings, "local")


def named(name: str, **parameters: Any) -> Scenario:
    return build(name, parameters)


def with_faults(*faults: dict[str, Any], **changes: Any) -> Scenario:
    return scenario_from({"name": "handmade", "faults": list(faults), **changes}, "test")


def case(prediction: Prediction, controller: bool | None = None, coordinator: bool = False) -> Case:
    """The case of the only fault in which the victim has these roles."""
    (fault,) = prediction.faults
    fits = [one for one in fault.cases if one.controller in {None, bool(controller)}]
    (found,) = [one for one in fits if one.coordinator in {None, coordinator}]
    return found


def row(told: Case, name: str, role: str) -> Quantity:
    """The row of a quantity, which must be there once."""
    (found,) = [one for one in told.quantities if (one.name, one.role) == (name, role)]
    return found


def span(told: Case, name: str, role: str) -> tuple[float, float]:
    """Its interval in seconds."""
    found = row(told, name, role)
    assert found.low_s is not None and found.high_s is not None, found.why_not
    return found.low_s, found.high_s
