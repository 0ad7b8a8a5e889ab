"""Findings as scenarios: the control that shows one, with the settings of your file in place of its own."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from factorylab.scenarios.configuration.carried_over import carried_over
from factorylab.scenarios.configuration.effective import Side
from factorylab.scenarios.configuration.report import RECORDS, Finding
from factorylab.scenarios.controls import CONTROLS, ControlName
from factorylab.scenarios.model import Clients, Scenario, explain

BY_CLIENTS: tuple[ControlName, ...] = ("P1", "P4", "P5", "P6", "P9", "P11")
"""Controls whose outcome the clients' settings decide: of the others topics, disks or programs do."""
OWN_KEYS = ("acks", "idempotence", "linger_ms", "compression")
"""What Clients take from the overrides of a producer."""
RESET, AT_THE_END = "auto.offset.reset", "P11"
"""One promise is broken at a time: where another control is about commits, it begins as that control does."""
DRAIN_S = 150.0
"""A dead member keeps its partitions until its session, which may be 45 s, is over."""


COMMITS_SEEN, STEADY_MAX_S = 8, 60.0
"""The lag that is told by commits rises between two of them: a steady state has so many, and must end some day."""


class Plan(NamedTuple):
    """`scenario` None: it cannot be shown, and `why_not` says why. `left_out`: settings that were not carried over."""

    finding: Finding
    control: ControlName | None = None
    scenario: Scenario | None = None
    left_out: tuple[str, ...] = ()
    why_not: str = ""


def plan(finding: Finding, side: Side) -> Plan:
    """How a finding about records is to be shown."""
    fits = [shown.control for shown in finding.shown_by if shown.control in BY_CLIENTS]
    if finding.kind not in RECORDS or not fits:
        return Plan(finding, why_not="no control shows it by the settings of a client")
    control = fits[0]
    try:
        settings, left_out = carried_over(side)
        if control != AT_THE_END and settings.pop(RESET, ""):
            left_out.append(f"{RESET} ({AT_THE_END} asks for it)")
        return Plan(finding, control, _with(CONTROLS[control].broken, side, settings), tuple(left_out))
    except ValidationError as error:
        return Plan(finding, control, why_not=" ".join(explain(error).split()))
    except ValueError as error:
        return Plan(finding, control, why_not=f"cannot be carried over: {error}")


def _with(control: Scenario, side: Side, settings: dict[str, str]) -> Scenario:
    """The control's faults and workload, and these settings."""
    role, clients = side.file.role, control.clients.model_dump()
    if role == "producer":
        clients = {name: value for name, value in clients.items() if name not in OWN_KEYS}
    else:
        session_ms = side.get("session.timeout.ms").number
        clients |= {"processor": "naive", "session_timeout_s": session_ms / 1000}
        settings = {name: clients["consumer"][name] for name in (RESET,) if name in clients["consumer"]} | settings
    return Scenario.model_validate(
        control.model_dump()
        | {
            "name": "check",
            "variant": f"{control.variant} {side.file.path.stem}"[:60],
            "clients": Clients.model_validate(clients | {role: settings}),
            "schedule": control.schedule.model_copy(
                update={"drain_s": DRAIN_S, "steady_s": max(control.schedule.steady_s, _steady_s(side))}
            ),
        }
    )


def _steady_s(side: Side) -> float:
    """How long the steady state must be to be seen by the commits of this client.

    Raises:
        ValueError: it commits too seldom for that.
    """
    if side.file.role != "consumer" or not side.get("enable.auto.commit").true:
        return 0
    every = side.get("auto.commit.interval.ms")
    needed_s = COMMITS_SEEN * every.number / 1000
    if needed_s > STEADY_MAX_S:
        most_ms = STEADY_MAX_S / COMMITS_SEEN * 1000
        raise ValueError(f"{every.name}={every.text}: a control sees commits that are {most_ms:.0f} ms apart at most")
    return needed_s
