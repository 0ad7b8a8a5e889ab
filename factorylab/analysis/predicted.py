"""Predicted against measured: for each quantity of the case that was real, whether the truth lies in the interval."""

from __future__ import annotations

from typing import Literal

import msgspec
import pandas as pd

from factorylab.analysis.measured_times import Key, Measured, measured_times, worst_role
from factorylab.analysis.victim_roles import VictimRoles, victim_roles
from factorylab.core.errors import UsageError
from factorylab.history.manifest import Manifest
from factorylab.history.saved_run import Run
from factorylab.scenarios.prediction.structures import Case, FaultPrediction, Prediction, Quantity

Outcome = Literal["inside", "outside", "not observed", "no prediction", "another case", "other settings"]
NO_PREDICTION: Outcome = "no prediction"
ANOTHER_CASE: Outcome = "another case"
UNCOUNTED: tuple[Outcome, ...] = (NO_PREDICTION, ANOTHER_CASE, "other settings")
"""Of these a run says nothing: it could not show them."""
COLUMNS = ["fault", "victim", "quantity", "role", "low_s", "high_s", "measured_s", "censored", "outcome", "why"]


def kept_prediction(run: Run) -> Prediction | None:
    """What was written before the run began; None where nothing was.

    Raises:
        UsageError: the file is no prediction.
    """
    path = run.folder.prediction
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Prediction)
    except msgspec.DecodeError as error:
        raise UsageError(f"{run.folder.path.name}/raw/{path.name} is no prediction: {error}") from None


def predicted(run: Run, prediction: Prediction | None = None) -> pd.DataFrame:
    """One row for each quantity that the run's own prediction, or this one, speaks of; empty without one.

    Columns fault, victim, quantity, role, low_s, high_s (NaN: open-ended or none), measured_s, censored, outcome, and
    why: the formula, or why there is no prediction. A row of partitions that the victim did not have is "another case".
    Where the run had other settings than were predicted from, every outcome is "other settings".
    """
    told = prediction or kept_prediction(run)
    rows = [row for fault in (told.faults if told else ()) for row in _rows(run, fault)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    if told and (others := other_settings(run.manifest, told)):
        frame = frame.assign(outcome="other settings", why="; ".join(others))
    return frame


def other_settings(manifest: Manifest, told: Prediction) -> list[str]:
    """Inputs of a prediction that the run did not have: it had other ones. What the manifest lacks is not known."""
    ran = {"broker": manifest.broker_config, "producer": manifest.producer, "consumer": manifest.consumer}
    return [
        f"predicted with {one.owner} {one.name}={one.value}, ran with {ran[one.owner][one.name]}"
        for one in told.inputs
        if one.name in ran[one.owner] and not _same(one.value, ran[one.owner][one.name])
    ]


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()


def real_case(fault: FaultPrediction, roles: VictimRoles) -> Case | None:
    """The case of the roles that the victim really had; None where it cannot be told."""
    if len(fault.cases) == 1:
        return fault.cases[0]
    fits = [
        case
        for case in fault.cases
        if case.controller in {None, roles.controller} and case.coordinator in {None, roles.coordinator}
    ]
    return fits[0] if roles.known and fits else None


def _rows(run: Run, fault: FaultPrediction) -> list[tuple[object, ...]]:
    roles = victim_roles(run, fault.fault)
    case = real_case(fault, roles)
    if case is None:
        why = fault.why_not or "the victim's roles were not observed"
        word: Outcome = NO_PREDICTION if fault.why_not else "not observed"
        return [(fault.fault, "", "any", "any", *[float("nan")] * 3, False, word, why)]
    times = measured_times(run, fault.fault, roles)
    return [_row(fault.fault, case.victim, quantity, roles, times) for quantity in case.quantities]


def applies(quantity: Quantity, roles: VictimRoles) -> bool:
    """Whether the victim had partitions of such a role, and its recovery depends on them; yes where its roles are not
    known."""
    if quantity.role == "any" or not roles.known:
        return True
    if quantity.name == "recovery":
        return quantity.role == worst_role(roles)
    return bool(roles.partitions.get(quantity.role))


def _row(
    fault: int, victim: str, quantity: Quantity, roles: VictimRoles, times: dict[Key, Measured]
) -> tuple[object, ...]:
    found = times.get((quantity.name, quantity.role), Measured(float("nan"), censored=False))
    low, high = (float("nan") if value is None else value for value in (quantity.low_s, quantity.high_s))
    why, word = quantity.why_not or quantity.formula, outcome(quantity, found)
    if not applies(quantity, roles):
        word, why = ANOTHER_CASE, _why_another(quantity, roles)
    return (fault, victim, quantity.name, quantity.role, low, high, *found, word, why)


def _why_another(quantity: Quantity, roles: VictimRoles) -> str:
    if roles.partitions.get(quantity.role):
        return "the victim led partitions as well, and recovery depends on those"
    did = {"led": "led no partition", "followed": "followed no partition in sync", "owned": "owned no partition"}
    return f"the victim {did[quantity.role]}"


def outcome(quantity: Quantity, found: Measured) -> Outcome:
    """Where the truth lies. What did not end is outside once it is longer than predicted, and inside of what has no
    end; before that it says nothing."""
    if quantity.low_s is None:
        return NO_PREDICTION
    if found.value_s != found.value_s:
        return "not observed"
    high = float("inf") if quantity.high_s is None else quantity.high_s
    if found.censored and found.value_s <= high:
        return "inside" if quantity.high_s is None and found.value_s >= quantity.low_s else "not observed"
    return "inside" if quantity.low_s <= found.value_s <= high else "outside"
