"""Roles are arranged before the steady state, so that a broker with the roles that a target asks for is there.

Leaderships are moved: those of partitions of sensor-data, and that of the partition of the offsets topic whose leader
coordinates the group. The controller stays where it is. Which broker it becomes is the one that needs the fewest moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from factorylab.cluster.admin import OFFSETS_TOPIC, Admin
from factorylab.cluster.faults.targets import Roles, resolve
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import LabError
from factorylab.core.waiting import wait_until
from factorylab.scenarios.targets import TargetParts, parts

PLACED_WITHIN_S = 30.0  # of empty topics; it takes about a second
Replicas = tuple[int, ...]


@dataclass(frozen=True)
class Moves:
    """Replicas that partitions are to have, the leader first: of sensor-data, and of the offsets topic."""

    readings: Mapping[int, Replicas] = field(default_factory=dict)
    offsets: Mapping[int, Replicas] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.readings) + len(self.offsets)

    @property
    def words(self) -> str:
        told = [f"broker-{replicas[0]} leads p{p} now" for p, replicas in self.readings.items()]
        told += [f"broker-{replicas[0]} coordinates the group now" for replicas in self.offsets.values()]
        return ", ".join(told) or "nothing was moved"


@dataclass(frozen=True)
class Placement:
    """Who leads and follows what at a moment; `coordination` is the partition of the offsets topic."""

    views: Mapping[int, PartitionView]
    coordination: PartitionView
    controller: int
    brokers: tuple[int, ...]


def fewest_moves(target: str, now: Placement) -> Moves:
    """What makes one of the brokers the one that `target` asks for.

    Raises:
        LabError: none of them can be, the controller being where it is.
    """
    found = [moves for broker in now.brokers if (moves := _moves(parts(target), now, broker)) is not None]
    if not found:
        raise LabError(f"no broker can be {target}: the active controller is broker-{now.controller}")
    return min(found, key=lambda moves: moves.count)


def _moves(wanted: TargetParts, now: Placement, broker: int) -> Moves | None:
    """What makes this broker the one that is wanted; None where nothing does."""
    if wanted.also.get("controller", broker == now.controller) != (broker == now.controller):
        return None
    partition = int(wanted.which)
    leaders = {p: view.leader for p, view in now.views.items()}
    if wanted.role == "leader":
        leaders[partition] = broker
    elif leaders[partition] == broker:
        leaders[partition] = _other(now.views[partition], broker)
    must_lead = wanted.also.get("leader")
    others = [p for p in leaders if p != partition]
    if must_lead is True and broker not in leaders.values():
        if not others:
            return None
        leaders[others[0]] = broker
    if must_lead is False:
        leaders |= {p: _other(now.views[p], broker) for p in others if leaders[p] == broker}
    readings = {p: _led_by(now.views[p], leader) for p, leader in leaders.items()}
    if broker not in readings[partition]:
        readings[partition] = (leaders[partition], broker, *now.views[partition].replicas[2:])
    return Moves(_changed(readings, now.views), _coordination(wanted, now, broker))


def _coordination(wanted: TargetParts, now: Placement, broker: int) -> dict[int, Replicas]:
    view = now.coordination
    must = wanted.also.get("coordinator", broker == view.leader)
    if must == (broker == view.leader):
        return {}
    return {view.partition: _led_by(view, broker if must else _other(view, broker))}


def _other(view: PartitionView, broker: int) -> int:
    """A replica that is not the broker; each profile has two at least."""
    return next(r for r in view.replicas if r != broker)


def _led_by(view: PartitionView, leader: int) -> Replicas:
    """As many replicas as it has, the leader first."""
    return (leader, *(r for r in view.replicas if r != leader))[: len(view.replicas)]


def _changed(wanted: Mapping[int, Replicas], views: Mapping[int, PartitionView]) -> dict[int, Replicas]:
    return {
        p: replicas
        for p, replicas in wanted.items()
        if replicas[0] != views[p].leader or set(replicas) != set(views[p].replicas)
    }


def arrange(admin: Admin, target: str, topic: str, group: str) -> str:
    """Have a broker play the role that `target` asks for; what was moved, in words.

    Raises:
        LabError: no broker can, or it did not come about in time.
    """
    roles = Roles(admin, topic, group)
    roles.look("views", "controller", "coordinator")
    brokers = tuple(range(1, len(admin.bootstrap.split(",")) + 1))
    now = Placement(roles.views, admin.coordination(group), roles.controller, brokers)
    moves = fewest_moves(target, now)
    for name, replicas in ((topic, moves.readings), (OFFSETS_TOPIC, moves.offsets)):
        if replicas:
            admin.place(name, replicas)
            admin.wait_placed(name, replicas, PLACED_WITHIN_S)
    found: list[str] = []

    def plays() -> bool:
        with suppress(LabError):  # a broker that has not heard of the move yet
            found[:] = resolve(target, roles)
        return bool(found)

    wait_until(plays, what=f"a broker to be {target}", timeout_s=PLACED_WITHIN_S)
    return f"{', '.join(found)} is {target} ({moves.words})"
