"""From a scenario and the settings in force to its prediction: a case for each combination of the victim's roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from factorylab.scenarios.model import Fault, Scenario
from factorylab.scenarios.prediction import brokers, groups, majority, outages, stores, transactions
from factorylab.scenarios.prediction.draws import COVERAGE, DRAWS, SEED, Draws
from factorylab.scenarios.prediction.settings import DEFAULTS, EffectiveSettings
from factorylab.scenarios.prediction.situation import Situation, answers_alone
from factorylab.scenarios.prediction.structures import Case, FaultPrediction, Input, Prediction, Quantity

MODEL = 14
"""Raised when a formula changes: predictions of different models are not counted together."""
Formula = Callable[[Situation], list[Quantity]]
FORMULAS: Mapping[str, Mapping[str, Formula]] = {
    "broker": {
        "kill": brokers.silent(outages.killed),
        "restart": brokers.silent(outages.killed),
        "pause": brokers.silent(outages.frozen),
        "partition": brokers.silent(outages.cut_off),
        "disconnect": brokers.silent(outages.cut_off),
        **dict.fromkeys(("terminate", "bounce", "upgrade", "downgrade"), brokers.stopped),
    },
    "processor": {
        **dict.fromkeys(("kill", "restart", "pause", "partition", "disconnect"), groups.gone),
        "terminate": groups.left,
    },
    "database": dict.fromkeys(stores.ANSWERS_S, stores.away),
}
OF_TWO: Mapping[str, Formula] = {"kill": majority.away, "pause": majority.away}
NO_FORMULA = {
    **dict.fromkeys(("terminate", "bounce", "upgrade", "downgrade"), "no model of two nodes that are stopped in order"),
    "evict": "no model of a member that is told to go and comes back",
    "demote": "no model of a consumer whose leader moves while it lives",
    "slow": "how long a slow node keeps others waiting depends on its load",
    "restart": "no model of a database, or of two nodes, that are restarted at once",
    "partition": "no model of a database, or of two nodes, that are cut off",
    "disconnect": "no model of a database, or of two nodes, that are cut off",
}
APART_S = 20.0
"""What a fault does may last so long beyond its healing; another one that begins sooner overlaps with it."""


def predict(scenario: Scenario, settings: EffectiveSettings, backend: str) -> Prediction:
    """What each fault of the scenario will cost, by these settings. The same input gives the same prediction.

    Raises:
        UsageError: a setting's value is no number of milliseconds.
    """
    faults = [_of(number, fault, scenario, settings) for number, fault in enumerate(scenario.faults)]
    return Prediction(
        model=MODEL,
        scenario=scenario.title,
        backend=backend,
        coverage=COVERAGE,
        draws=DRAWS,
        seed=SEED,
        inputs=_inputs(faults, settings),
        faults=faults,
    )


def _of(number: int, fault: Fault, scenario: Scenario, settings: EffectiveSettings) -> FaultPrediction:
    told = FaultPrediction(fault=number, kind=fault.kind, target=fault.target, hold_s=fault.hold_s)
    formula = _formula(fault, scenario)
    if why := _why_not(number, fault, scenario):
        return msgspec.structs.replace(told, why_not=why)
    if formula is None:
        return msgspec.structs.replace(told, why_not=NO_FORMULA[fault.kind])
    cases = [
        Case(
            controller=controller,
            coordinator=coordinator,
            quantities=_of_its_role(
                fault,
                formula(
                    Situation(
                        fault, scenario, settings, Draws(), controller=bool(controller), coordinator=bool(coordinator)
                    )
                ),
            ),
        )
        for controller in _controllers(fault, scenario)
        for coordinator in _coordinators(fault)
    ]
    return msgspec.structs.replace(told, cases=cases)


def _formula(fault: Fault, scenario: Scenario) -> Formula | None:
    if transactions.dies_in_one(fault, scenario):
        return transactions.left_open
    return (OF_TWO if _hits_two(fault, scenario) else FORMULAS[fault.hits]).get(fault.kind)


def _hits_two(fault: Fault, scenario: Scenario) -> bool:
    """All followers of a partition with two replicas are one broker."""
    return fault.aim.role == "followers" and scenario.topology.replication > 2


def _controllers(fault: Fault, scenario: Scenario) -> tuple[bool | None, ...]:
    """Whether the victim is the active controller; None: it cannot be, or it makes no difference."""
    if fault.hits != "broker" or FORMULAS["broker"].get(fault.kind) is brokers.stopped or _hits_two(fault, scenario):
        return (None,)
    return _may_be(fault, "controller")


def _coordinators(fault: Fault) -> tuple[bool | None, ...]:
    """Whether the victim is the group's coordinator: that makes a difference where it goes on answering alone."""
    if fault.hits != "broker" or not answers_alone(fault):
        return (None,)
    return _may_be(fault, "coordinator")


def _may_be(fault: Fault, role: str) -> tuple[bool, ...]:
    """Whether the victim has this role: as its target says, else both."""
    if role in fault.aim.also:
        return (fault.aim.also[role],)
    return (True,) if fault.aim.role == role else (False, True)


def _of_its_role(fault: Fault, rows: list[Quantity]) -> list[Quantity]:
    """The rows that its target allows: a victim that leads nothing has none of `led`, and the recovery of one that
    leads is not that of what it follows."""
    leads = True if fault.aim.role == "leader" else fault.aim.also.get("leader")
    of_another = {True: [(brokers.RECOVERY, "followed")], False: [(row.name, "led") for row in rows], None: []}[leads]
    return [row for row in rows if (row.name, row.role) not in of_another]


def _why_not(number: int, fault: Fault, scenario: Scenario) -> str:
    """Why no formula fits; empty where one may."""
    if why := _no_model_of(fault, scenario):
        return why
    if any(_overlap(fault, other) for at, other in enumerate(scenario.faults) if at != number):
        return "another fault begins before the effects of this one are surely over: no model of both together"
    if fault.step and not scenario.transactional:
        return "a processor at a step of its work may have stored the batch, or not"
    if fault.until_replaced:
        return "it is held until it is replaced, which is not known beforehand"
    if fault.wipe:
        return "no model of a broker that copies everything anew"
    return ""


def _no_model_of(fault: Fault, scenario: Scenario) -> str:
    """Why nothing is known of those who work; empty where something is."""
    if scenario.subject:
        return "nobody knows the settings and the pace of a program under test"
    if scenario.shared:
        return "no model of a share group"
    if scenario.transactional and not transactions.dies_in_one(fault, scenario):
        return "no model of processors in transactions, but of one that is killed with a transaction open"
    return ""


def _overlap(one: Fault, other: Fault) -> bool:
    """Whether the later of two begins before the effects of the earlier one are surely over. One that waits until every
    replica is in sync does not."""
    first, later = sorted((one, other), key=lambda fault: fault.at_s)
    over_s = first.at_s + first.hold_s
    return not (later.in_sync_first and later.at_s >= over_s) and later.at_s < over_s + APART_S


def _inputs(faults: list[FaultPrediction], settings: EffectiveSettings) -> list[Input]:
    used = {name for f in faults for case in f.cases for row in case.quantities for name in row.inputs}
    named = sorted((side, name) for side, its in DEFAULTS.items() for name in its if f"{side} {name}" in used)
    given = [settings.get(*one) for one in named]
    return [Input(*one, value.value, value.source) for one, value in zip(named, given, strict=True)]
