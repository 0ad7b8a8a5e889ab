"""The named scenarios: what each notebook runs, with typed parameters and defaults.

A notebook's parameters are the arguments of the function of its name (a test holds the two together).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, validate_call

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.core.limits import Count, Milliseconds, Number, Rate, Seconds, Whole
from factorylab.core.sessions import CUT_OFF_SESSION_S
from factorylab.core.vocabulary import AwayFrom, Direction, GroupProtocol
from factorylab.scenarios.controls import control
from factorylab.scenarios.fault_catalog import DatabaseKind, ProcessKind
from factorylab.scenarios.model import (
    Acks,
    Clients,
    Expect,
    Fault,
    Objectives,
    Profile,
    Scenario,
    Schedule,
    Topology,
    Workload,
    explain,
)
from factorylab.scenarios.targets import Target
from factorylab.scenarios.your_application import your_application

REFRESH = "topic.metadata.refresh.interval.ms"
"""How often a producer asks who leads, even when nothing seems wrong; librdkafka's default is 300 s."""
Refresh = Annotated[Number, Field(gt=0, le=3_600)]  # librdkafka takes no more than an hour


def baseline(
    *,
    rate_per_s: Rate = 2_000,
    seconds_s: Seconds = 16,
    sensors: Whole = 300,
    profile: Profile = "factory",
    seed: Count = 1,
) -> Scenario:
    """No fault: what healthy looks like, and how much it varies."""
    return Scenario(
        name="baseline",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, sensors=sensors, seed=seed),
        schedule=Schedule(steady_s=seconds_s, after_s=0),
        objectives=Objectives(latency_p99_s=1, shed=0),
    )


def broker_loss(
    *,
    target: Target = "leader:0",
    kind: ProcessKind = "kill",
    hold_s: Seconds = 14,
    profile: Profile = "factory",
    acks: Acks = "all",
    rate_per_s: Rate = 2_000,
    seed: Count = 1,
    expect: Expect = "pass",
) -> Scenario:
    """A broker is killed, stopped or frozen, and comes back after `hold_s`."""
    return Scenario(
        name="broker_loss",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, seed=seed),
        clients=Clients(acks=acks),
        faults=(Fault(kind=kind, target=target, hold_s=hold_s),),
        objectives=Objectives(shed=0),
        expect=expect,
    )


def consumer_loss(
    *,
    target: Target = "owner:0",
    kind: ProcessKind = "kill",
    hold_s: Seconds = 12,
    protocol: GroupProtocol = "range",
    session_timeout_s: Number | None = None,
    static_members: bool = False,
    processors: Whole = 2,
    profile: Profile = "factory",
    rate_per_s: Rate = 2_000,
    seed: Count = 1,
) -> Scenario:
    """A processor is killed, stopped or frozen, and comes back after `hold_s`."""
    chosen = 6 if session_timeout_s is None and protocol != "consumer" else session_timeout_s
    members = Clients(protocol=protocol, processors=processors, session_timeout_s=chosen, static_members=static_members)
    return Scenario(
        name="consumer_loss",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, seed=seed),
        clients=members,
        faults=(Fault(kind=kind, target=target, hold_s=hold_s),),
        objectives=Objectives(shed=0),
    )


def database_loss(
    *,
    kind: DatabaseKind = "pause",
    hold_s: Seconds = 16,
    processors: Whole = 2,
    profile: Profile = "factory",
    rate_per_s: Rate = 2_000,
    seed: Count = 1,
) -> Scenario:
    """PostgreSQL is frozen, killed or stopped, or takes no connections, and is back after `hold_s`."""
    return Scenario(
        name="database_loss",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, anomaly_rate=0.05, seed=seed),
        clients=Clients(processors=processors),
        faults=(Fault(kind=kind, target="database", hold_s=hold_s),),
        objectives=Objectives(shed=0, ack_gap_s=5),
    )


def network_partition(
    *,
    target: Target = "leader:0",
    away_from: AwayFrom = "brokers",
    direction: Direction = "both",
    hold_s: Seconds = 20,
    acks: Acks = "all",
    profile: Profile = "safe",
    refresh_s: Refresh = 10,
    rate_per_s: Rate = 1_000,
    seed: Count = 1,
    expect: Expect = "pass",
) -> Scenario:
    """A living broker is cut off from its peers by the network, or a consumer from the brokers, for `hold_s`."""
    cut = Fault(kind="partition", target=target, away_from=away_from, direction=direction, hold_s=hold_s)
    return Scenario(
        name="network_partition",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, seed=seed),
        clients=Clients(
            acks=acks,
            producer={REFRESH: f"{refresh_s * 1000:.0f}"},
            session_timeout_s=CUT_OFF_SESSION_S if cut.hits == "processor" else None,
        ),
        faults=(cut,),
        objectives=Objectives(shed=0),
        expect=expect,
    )


def high_load(
    *,
    steps_per_s: tuple[Rate, ...] = (10_000, 25_000, 50_000, 100_000),
    step_s: Seconds = 6,
    rate_per_s: Rate = 5_000,
    processors: Whole = 3,
    profile: Profile = "safe",
    linger_ms: Milliseconds = 50,
    kept_per_s: Annotated[
        Rate | None, Field(description="the rate that must be kept; default: the lowest step")
    ] = None,
    seed: Count = 1,
) -> Scenario:
    """The declared rate rises step by step: which is the highest that is kept, and what gives way first?"""
    return Scenario(
        name="high_load",
        topology=Topology(profile=profile),
        workload=Workload(rate_per_s=rate_per_s, steps_per_s=steps_per_s, step_s=step_s, seed=seed),
        clients=Clients(processors=processors, linger_ms=linger_ms),
        schedule=Schedule(steady_s=6, after_s=2),  # no fault is compared with a steady state
        objectives=Objectives(kept_per_s=kept_per_s or min(steps_per_s, default=None)),
    )


def recorded_machine(
    *,
    source: Annotated[str, Field(description="path of a CSV file")],
    time_column: Annotated[str | None, Field(description="default: by its name")] = None,
    value_column: Annotated[str | None, Field(description="default: the only one of numbers")] = None,
    layout: Annotated[dict[str, Any] | None, Field(description="time_zone, decimal, missing, by, …")] = None,
    rate_per_s: Rate = 600,
    profile: Profile = "safe",
    hold_s: Seconds = 12,
) -> Scenario:
    """Readings of a real machine from a CSV file, while a broker and a processor are killed."""
    return Scenario(
        name="recorded_machine",
        topology=Topology(profile=profile),
        workload=Workload(
            rate_per_s=rate_per_s,
            source=Path(source),
            time_column=time_column,
            value_column=value_column,
            layout=layout or {},
        ),
        faults=(
            Fault(kind="kill", target="leader:busiest", at_s=0, hold_s=hold_s),
            Fault(kind="kill", target="owner:busiest", at_s=2, hold_s=hold_s - 2),
        ),
        objectives=Objectives(shed=0),
    )


SCENARIOS: dict[str, Callable[..., Scenario]] = {
    f.__name__: f
    for f in (
        baseline,
        broker_loss,
        consumer_loss,
        database_loss,
        network_partition,
        high_load,
        recorded_machine,
        control,
        your_application,
    )
}


def build(name: str, parameters: Mapping[str, object]) -> Scenario:
    """The scenario `name` with these parameters.

    Raises:
        UsageError: there is no such scenario.
        ScenarioError: a parameter is unknown or wrong; the message lists all of them with the rule.
    """
    if name not in SCENARIOS:
        raise UsageError(f"there is no scenario {name!r}: choose one of {', '.join(SCENARIOS)}")
    known = inspect.signature(SCENARIOS[name]).parameters
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ScenarioError(f"{name} has no parameter {', '.join(unknown)}: it takes {', '.join(known)}")
    try:
        return validate_call(SCENARIOS[name])(**parameters)
    except ValidationError as error:
        raise ScenarioError(f"{name}:\n{explain(error)}") from None
