"""What the supervisor and the lab's folder say: which nodes there are, what is held on them, who drives the lab."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster import control, manage
from factorylab.cluster.base import INFRASTRUCTURE
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import WaitTimeout
from factorylab.history.run_folders import RunFolder
from factorylab.operations.live.moments import NodeShown, NodeStatus
from factorylab.scenarios.fault_catalog import ON_NETWORK

ANSWER_S = 1.0
UNDO = "undo"


@dataclass(frozen=True)
class Held:
    """A fault that is not healed, and since when (the wall clock, seconds since 1970)."""

    undo: Undo
    since_s: float


@dataclass(frozen=True)
class LabSeen:
    """`run` is that whose workers live; None where none does. `driver` is the pid of who drives the lab."""

    up: bool
    nodes: list[NodeShown]
    held: list[Held]
    run: RunFolder | None
    driver: str | None


def lab_seen(home: Path) -> LabSeen:
    """The lab in `home` now.

    Raises:
        WaitTimeout: its supervisor lives and does not answer within a second.
        EnvironmentUnfit: it is about to end.
    """
    if control.living_state(home) is None:
        return LabSeen(False, [], [], None, None)
    nodes, held = nodes_of(home), _held(home)
    return LabSeen(True, [_node(node, held) for node in nodes], held, _run_of(nodes), manage.driver_of(home))


def nodes_of(home: Path) -> list[control.NodeState]:
    """The nodes of the lab that is up. Raises as `lab_seen`."""
    try:
        return msgspec.json.decode(control.ask(home, control.Nodes(), ANSWER_S), type=list[control.NodeState])
    except OSError as error:
        raise WaitTimeout(f"the supervisor of {home} did not answer: {error}") from None


def _held(home: Path) -> list[Held]:
    found = []
    records = UndoRecords(home / UNDO)
    for undo in records.find():
        with suppress(FileNotFoundError):  # healed meanwhile
            found.append(Held(undo, records.written_s(undo)))
    return found


def _node(node: control.NodeState, held: list[Held]) -> NodeShown:
    kinds = [one.undo.kind for one in held if one.undo.node == node.name]
    return NodeShown(node.name, node.role, _status(node, kinds), kinds)


def _status(node: control.NodeState, kinds: list[str]) -> NodeStatus:
    """The operating system's word; a node that runs and is cut off is cut, by the undo record."""
    try:
        seen: NodeStatus = control.process_status(psutil.Process(node.pid) if node.pid else None)
    except psutil.NoSuchProcess:
        seen = "dead"
    if seen == "dead" and node.exit_code == 0 and node.role not in INFRASTRUCTURE:
        return "ended"
    return "cut" if seen == "running" and set(kinds) & set(ON_NETWORK) else seen


def _run_of(nodes: list[control.NodeState]) -> RunFolder | None:
    """A run's workers log into its folder: RUN/raw/logs/NAME."""
    logs = [Path(node.log) for node in nodes if node.pid and node.role not in INFRASTRUCTURE]
    runs = {log.parents[2] for log in logs if log.parts[-3:-1] == ("raw", "logs")}
    return RunFolder(max(runs, key=lambda folder: folder.name)) if runs else None
