"""The setting that governs a phase, and its effective value in a run."""

from __future__ import annotations

from collections.abc import Mapping

from factorylab.analysis.marks import Victims
from factorylab.history.saved_run import Run
from factorylab.scenarios.stall_phases import (
    CLIENT_DISCOVERY,
    CONSUMER_DISCOVERY,
    CONSUMER_SOCKET,
    FENCING,
    GROUP_SESSION,
    HOLD,
    ISR_SHRINK,
    MEMBER_REMOVAL,
    PHASES,
    PRODUCER_SOCKET,
    Moment,
    Setting,
)

NOT_RECORDED = "not recorded"


def governing(run: Run, hit: Victims, phase: str, begun: Moment) -> Setting | None:
    """The most decisive setting of a phase that began with a moment; of several that were not told apart, the one that
    allows the most time. None for work that takes as long as it takes."""
    if (phase, begun) == (ISR_SHRINK.name, FENCING.ends):  # the controller takes out whom it fences
        return None
    names = phase.split("+")
    if FENCING.name in names:
        names = [name for name in names if name != ISR_SHRINK.name]
    found = [setting for name in names if (setting := _decisive(run, hit, name))]
    return max(found, key=lambda setting: _number(effective(run, hit, setting)), default=None)


def _decisive(run: Run, hit: Victims, name: str) -> Setting | None:
    declared = PHASES.get(name)
    if declared is None or not declared.governed_by or (hit.at_once and HOLD in declared.governed_by):
        return None
    if declared is MEMBER_REMOVAL and run.scenario.clients.protocol == "consumer":
        return GROUP_SESSION
    if not _connections_end(run, hit) and declared in (CLIENT_DISCOVERY, CONSUMER_DISCOVERY):
        return PRODUCER_SOCKET if declared is CLIENT_DISCOVERY else CONSUMER_SOCKET
    return declared.governed_by[0]


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return -1


def _connections_end(run: Run, hit: Victims) -> bool:
    """Are the victim's connections closed, so that its clients need not wait for a time-out?"""
    return hit.fault < len(run.scenario.faults) and run.scenario.faults[hit.fault].declared.ends_process


def effective(run: Run, hit: Victims, setting: Setting) -> str:
    """Its value in this run, as the manifest has it: as text, in the unit that its name says."""
    if setting == HOLD:
        return f"{run.scenario.faults[hit.fault].hold_s:g}" if hit.fault < len(run.scenario.faults) else NOT_RECORDED
    manifest = run.manifest
    known: dict[str, Mapping[str, str]] = {
        "broker": manifest.broker_config,
        "producer": manifest.producer,
        "consumer": manifest.consumer,
        "topic": manifest.topic_config,
    }
    return known[setting.owner].get(setting.name, NOT_RECORDED)
