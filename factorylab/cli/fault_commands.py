"""The command `fault`: break something by hand on a lab that is up, see the evidence, and have it healed."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Annotated

import typer

from factorylab.cli.runs_commands import say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.names import Names
from factorylab.core.vocabulary import AwayFrom, Direction
from factorylab.history.tables import FaultStep
from factorylab.scenarios.fault_catalog import (
    FAULT_KINDS,
    ON_DATABASE,
    ON_NETWORK,
    ON_PROCESS,
    DatabaseKind,
    NetworkKind,
    ProcessKind,
    effects,
)
from factorylab.scenarios.model import Fault, scenario_from

FULL_ISR_S = 120.0

BROKERS = (
    "leader:P, follower:P, controller, coordinator or broker:N; P as 0 or sensor-data/0, and behind 0 what else it is, "
    "as in leader:0-controller; nothing is arranged"
)
CONSUMERS = "owner:P (the processor that owns partition P) or processor:N"
Hold = Annotated[float, typer.Option("--hold", min=0.1, help="seconds until it is healed; Ctrl-C heals it at once")]
Suffix = Annotated[str, typer.Option("--run", help="the id of a run kept up; default: the standing factory")]

app = typer.Typer(no_args_is_help=True, help="Inject a fault into the lab that is up; it is healed afterwards.")


def register(parent: typer.Typer) -> None:
    """Add the command to the command line."""
    parent.add_typer(app, name="fault")


@app.command()
def broker(
    action: Annotated[ProcessKind, typer.Argument(help=effects(ON_PROCESS))],
    target: Annotated[str, typer.Option("--target", help=BROKERS)] = "leader:0",
    hold: Hold = 20,
    run: Suffix = "",
) -> None:
    """Break a broker."""
    _break_process(action, target, hold, run)


@app.command()
def consumer(
    action: Annotated[ProcessKind, typer.Argument(help=effects(ON_PROCESS))],
    target: Annotated[str, typer.Option("--target", help=CONSUMERS)] = "owner:0",
    hold: Hold = 20,
    run: Suffix = "",
) -> None:
    """Break a processor."""
    _break_process(action, target, hold, run)


@app.command()
def database(
    action: Annotated[DatabaseKind, typer.Argument(help=effects(ON_DATABASE))], hold: Hold = 10, run: Suffix = ""
) -> None:
    """Break PostgreSQL."""
    _break_process(action, "database", hold, run)


@app.command()
def network(  # noqa: PLR0917 (typer's options)
    action: Annotated[NetworkKind, typer.Argument(help=effects(ON_NETWORK))],
    target: Annotated[str, typer.Option("--target", help=f"{BROKERS}; {CONSUMERS}")] = "leader:0",
    away_from: Annotated[
        AwayFrom, typer.Option(help="whose packets a partition drops: the (other) brokers' or all")
    ] = "brokers",
    direction: Annotated[Direction, typer.Option(help="the packets dropped, seen from the target")] = "both",
    hold: Hold = 20,
    run: Suffix = "",
) -> None:
    """Cut a broker or a processor off the network."""
    topic, role = _split(target)
    given = {"kind": action, "target": role, "hold_s": hold, "away_from": away_from, "direction": direction}
    _play((topic, _checked(given)), run)


def _break_process(kind: str, target: str, hold_s: float, run: str) -> None:
    topic, role = _split(target)
    given: dict[str, object] = {
        "kind": kind,
        "target": role,
        "hold_s": 0 if FAULT_KINDS[kind].undoes_itself else hold_s,
    }
    _play((topic, _checked(given)), run)


def _split(target: str) -> tuple[str, str]:
    """leader:sensor-data/0 as topic and role: ("sensor-data", "leader:0"); the topic is "" where none is named."""
    named = re.fullmatch(r"([a-z]+):([\w.-]+)/(\d+)", target)
    return (named[2], f"{named[1]}:{named[3]}") if named else ("", target)


def _checked(given: dict[str, object]) -> Fault:
    """Raises ScenarioError naming what is wrong with it."""
    return scenario_from({"name": "by_hand", "clients": {"processors": 16}, "faults": [given]}, "fault").faults[0]


def _play(what: tuple[str, Fault], run: str) -> None:
    """Inject, show the evidence, hold, heal, and wait until all replicas are in sync again."""
    from factorylab.cluster import manage
    from factorylab.cluster.admin import Admin
    from factorylab.cluster.backends import bring_up
    from factorylab.cluster.faults.events import SystemEvents
    from factorylab.cluster.faults.inject import Timeline
    from factorylab.cluster.faults.targets import Roles
    from factorylab.operations.by_hand_hold import noted

    topic, fault = what
    settings = load_settings()
    if not manage.look(settings.home):
        raise EnvironmentUnfit(f"no lab is up in {settings.home}: 'factorylab up', or 'factorylab run … --keep'")
    names = Names.of(run)
    topic = topic or names.sensors
    with (
        bring_up(settings, faults=[fault]) as cluster,
        SystemEvents(cluster.endpoints.database_url, names.schema) as events,
        closing(Admin(cluster.endpoints.bootstrap)) as admin,
    ):
        admin.require_topic(topic)
        steps: list[FaultStep] = []

        def write(step: FaultStep) -> None:
            steps.append(step)
            events.fault(step)

        timeline = Timeline(cluster, Roles(admin, topic, names.group), write, say)
        if fault.hold_s:
            say(f"the fault is healed after {fault.hold_s:g} s; Ctrl-C heals it at once")
        with noted(settings.home, fault.hold_s):
            timeline.play([fault], fault.hold_s)
        if not any(step.step == "evidence" for step in steps):
            raise LabError(f"nothing was broken: {steps[-1].evidence}")
        say("waiting until all replicas are in sync")
        admin.wait_full_isr(topic, FULL_ISR_S)
        say(f"healed: every replica of {topic} is in sync")
