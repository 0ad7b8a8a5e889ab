"""The setting that governs a phase, and its effective value in a run."""

from __future__ import annotations

from collections.abc import Mapping

from factorylab.analysis.aftermath import Lasting
from factorylab.analysis.client_log import Client, trouble
from factorylab.analysis.marks import Victims
from factorylab.history.saved_run import Run
from factorylab.scenarios.stall_phases import (
    ASSIGNMENT,
    CLIENT_DISCOVERY,
    CONSUMER_DISCOVERY,
    FENCING,
    GROUP_HEARTBEAT,
    GROUP_SESSION,
    HOLD,
    ISR_SHRINK,
    MEMBER_REMOVAL,
    PHASES,
    Phase,
    Setting,
)

NOT_RECORDED = "not recorded"


def governing(run: Run, hit: Victims, piece: Lasting, *, led: bool) -> Setting | None:
    """The most decisive setting of a phase; of several that were not told apart, the one that allows the most time.
    None for work that takes as long as it takes. `led`: the victim led the partition, so clients had to find another.
    """
    if (piece.phase, piece.begun.moment) == (ISR_SHRINK.name, FENCING.ends):  # the controller takes out whom it fences
        return None
    names = piece.phase.split("+")
    if FENCING.name in names:
        names = [name for name in names if name != ISR_SHRINK.name]
    if not led:
        names = [name for name in names if name not in (CLIENT_DISCOVERY.name, CONSUMER_DISCOVERY.name)]
    found = [setting for name in names if (setting := _decisive(run, hit, name, piece.ended.t_ns))]
    return max(found, key=lambda setting: _allowed_ms(run, hit, setting), default=None)


def _decisive(run: Run, hit: Victims, name: str, ended_ns: int) -> Setting | None:
    declared = PHASES.get(name)
    if declared is None or not declared.governed_by or (hit.at_once and HOLD in declared.governed_by):
        return None
    if declared in (MEMBER_REMOVAL, ASSIGNMENT) and run.scenario.clients.protocol == "consumer":
        return GROUP_SESSION if declared is MEMBER_REMOVAL else GROUP_HEARTBEAT
    if declared in (CLIENT_DISCOVERY, CONSUMER_DISCOVERY):
        return _of_client(run, hit, declared, ended_ns)
    return declared.governed_by[0]


def _of_client(run: Run, hit: Victims, declared: Phase, ended_ns: int) -> Setting:
    """What made a client look for another broker, by its own log since the fault: a request that timed out, a
    connection that ended, or neither: then it asked for metadata when it was time to. Where its log was not kept, the
    kind of fault says whether connections end."""
    reconnect, socket, refresh = declared.governed_by
    client: Client = "producer" if declared is CLIENT_DISCOVERY else "consumer"
    told = trouble(run, client, hit.brokers, hit.intended_ns, ended_ns)
    if told == "not recorded":
        known = hit.fault < len(run.scenario.faults)
        told = "closed" if known and run.scenario.faults[hit.fault].declared.ends_process else "timed out"
    return {"timed out": socket, "closed": reconnect, "none": refresh}[told]


def _allowed_ms(run: Run, hit: Victims, setting: Setting) -> float:
    """How much time it allows; −1 where that was not recorded. Kafka's settings are in milliseconds."""
    value = effective(run, hit, setting)
    return -1 if value == NOT_RECORDED else float(value) * (1000 if setting == HOLD else 1)


def effective(run: Run, hit: Victims, setting: Setting) -> str:
    """Its value in this run, as the manifest has it: as text, in the unit that its name says."""
    if setting == HOLD:
        return f"{run.scenario.faults[hit.fault].hold_s:g}" if hit.fault < len(run.scenario.faults) else NOT_RECORDED
    manifest = run.manifest
    known: dict[str, Mapping[str, str]] = {
        "broker": manifest.broker_config,
        "producer": manifest.producer,
        "consumer": manifest.consumer,
    }
    return known[setting.owner].get(setting.name, NOT_RECORDED)
