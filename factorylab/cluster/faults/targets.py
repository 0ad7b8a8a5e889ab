"""Which node a role names at this moment.

    leader:0       the broker that leads partition 0 of sensor-data (follower:0: one of its followers,
                   followers:0: all of them)
    owner:0        the processor that owns partition 0
    …:busiest      the same for the partition with most records
    controller     the broker whose controller is active
    coordinator    the broker that coordinates the consumer group, or the share group
    share_coordinator:0  the broker that keeps the state of a share group's part of partition 0
    broker:2       broker 2 (processor:1: processor 1)
    database       PostgreSQL

Behind leader:0 and follower:0 stands what else the broker must be or must not be (see `scenarios.targets`). Where none
is that now, nobody plays the role: another victim is never taken instead.

While an earlier fault holds, the cluster may be unable to answer: then its last answer counts, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from factorylab.cluster.admin import Admin
from factorylab.cluster.views import GroupView, PartitionView
from factorylab.core.errors import LabError, WaitTimeout
from factorylab.core.vocabulary import CONTROLS, COORDINATES
from factorylab.scenarios.targets import TargetParts, parts

T = TypeVar("T")
UNKNOWN_GROUP = GroupView("Unknown", ())
OF_OWN_TOPICS = ("views", "ends", "members")
QUESTIONS = (*OF_OWN_TOPICS, "coordinator", "controller")
PATIENCE_S = 1.0  # a question that takes longer would delay the injection


@dataclass
class Roles:
    """Who plays which role, as far as the cluster tells. `stale` names the answers that are old ones.

    `asks`: what may be asked. Who coordinates or controls is nobody's business on brokers of somebody else.
    """

    admin: Admin
    topic: str
    group: str
    views: dict[int, PartitionView] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    members: GroupView = UNKNOWN_GROUP
    coordinator: int = -1
    controller: int = -1
    stale: set[str] = field(default_factory=set)
    asks: tuple[str, ...] = QUESTIONS

    def look(self, *what: str) -> None:
        """Ask again for these (all of them when none is named); keep the old answer where none comes."""
        asked = [one for one in what or self.asks if one in self.asks]
        if "views" in asked:
            self.views = self._or_old("views", self._partitions, self.views)
        if "ends" in asked:
            self.ends = self._or_old("ends", lambda: self.admin.ends(self.topic, self.views), self.ends)
        if "members" in asked:
            self.members = self._or_old("members", lambda: self.admin.group(self.group), self.members)
        if "coordinator" in asked:
            find = self.admin.coordinator
            self.coordinator = self._or_old("coordinator", lambda: find(self.group), self.coordinator)
        if "controller" in asked:
            self.controller = self._or_old("controller", self.admin.controller, self.controller)

    def _partitions(self) -> dict[int, PartitionView]:
        return {view.partition: view for view in self.admin.partitions(self.topic)}

    def _or_old(self, name: str, ask: Callable[[], T], old: T) -> T:
        try:
            answer = ask()
        except WaitTimeout:
            self.stale.add(name)
            return old
        self.stale.discard(name)
        return answer

    def of(self, node: str) -> str:
        """What a node is, in words: what hangs on it decides what its loss does."""
        role, _, number = node.partition("-")
        if role == "database":
            return "keeps readings, alerts and positions"
        if role != "broker":
            owned = sorted(p for p, owner in self.members.owners.items() if owner == node)
            return f"owns {_listed(owned)}"
        broker = int(number)
        leads = [p for p, view in self.views.items() if view.leader == broker]
        follows = [p for p, view in self.views.items() if broker in view.replicas and view.leader != broker]
        parts = [f"leads {_listed(leads)}", f"follows {_listed(follows)}"]
        parts += [COORDINATES] if self.coordinator == broker else []
        parts += [CONTROLS] if self.controller == broker else []
        return "; ".join(parts)


def _listed(partitions: list[int]) -> str:
    return f"p{', p'.join(map(str, partitions))}" if partitions else "nothing"


NEEDS = {
    "controller": ("controller",),
    "coordinator": ("coordinator",),
    "leader": ("views",),
    "follower": ("views",),
    "followers": ("views",),
    "owner": ("members",),
}


def resolve(target: str, roles: Roles) -> tuple[str, ...]:
    """Names of the nodes that play the role now.

    Raises:
        LabError: nobody plays it (no leader, no owner, none with the other roles that it must and must not have), or
            the cluster never said who does.
    """
    wanted = parts(target)
    role, which = wanted.role, wanted.which
    roles.look(*NEEDS.get(role, ("views",)), *(("ends",) if which == "busiest" else ()))
    if role in {"broker", "processor", "database"}:
        return (f"{role}-{which}" if which else role,)
    if role == "share_coordinator":
        return (f"broker-{roles.admin.share_coordinator(roles.group, roles.topic, int(which))}",)
    if role in {"controller", "coordinator"}:
        broker = roles.controller if role == "controller" else roles.coordinator
        if broker < 0:
            raise LabError(f"the cluster did not tell its {role}")
        return (f"broker-{broker}",)
    partition = max(roles.ends, key=lambda p: (roles.ends[p], -p), default=-1) if which == "busiest" else int(which)
    if role == "owner":
        if partition not in roles.members.owners:
            raise LabError(f"nobody in {roles.group} owns partition {partition} (state {roles.members.state})")
        return (roles.members.owners[partition],)
    if partition not in roles.views:
        raise LabError(f"the cluster did not tell about partition {which} of {roles.topic}")
    return _replicas(wanted, roles.views[partition], roles)


def _replicas(wanted: TargetParts, view: PartitionView, roles: Roles) -> tuple[str, ...]:
    if view.leader < 0:
        raise LabError(f"partition {view.partition} has no leader now")
    played = [view.leader] if wanted.role == "leader" else [r for r in view.replicas if r != view.leader]
    if not played:
        raise LabError(f"partition {view.partition} has no follower: its only replica leads it")
    if wanted.also:
        played = _with_roles(wanted, played, roles)
    return tuple(f"broker-{r}" for r in (played if wanted.role == "followers" else played[:1]))


def _with_roles(wanted: TargetParts, played: list[int], roles: Roles) -> list[int]:
    """Those that have, and have not, the other roles that are wanted, by answers of this moment."""
    asked = [name for name in ("controller", "coordinator") if name in wanted.also]
    roles.look(*asked)
    if old := sorted(roles.stale & {"views", *asked}):
        raise LabError(f"the cluster did not tell now: {', '.join(old)}; who has the roles would be a guess")
    has = {
        "leader": {view.leader for view in roles.views.values()},
        "controller": {roles.controller},
        "coordinator": {roles.coordinator},
    }
    fit = [r for r in played if all((r in has[name]) == must for name, must in wanted.also.items())]
    if not fit:
        each = "; ".join(f"broker-{r} {roles.of(f'broker-{r}')}" for r in played)
        must = ", ".join(f"{'is' if yes else 'is not'} {name}" for name, yes in wanted.also.items())
        raise LabError(f"no {wanted.role} of partition {wanted.which} {must} now: {each}")
    return fit
