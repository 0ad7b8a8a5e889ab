"""Which node a role names at this moment.

leader:0       the broker that leads partition 0 of sensor-data (follower:0: one of its followers,
               followers:0: all of them)
owner:0        the processor that owns partition 0
…:busiest      the same for the partition with most records
controller     the broker whose controller is active
coordinator    the broker that coordinates the consumer group
broker:2       broker 2 (processor:1: processor 1)
"""

from __future__ import annotations

from factorylab.cluster.admin import Admin, PartitionView
from factorylab.errors import LabError


def resolve(target: str, admin: Admin, topic: str, group: str) -> tuple[str, ...]:
    """Names of the nodes that play the role now.

    Raises:
        LabError: nobody plays it (no leader, no owner, no such partition).
        WaitTimeout: no broker answered.
    """
    role, _, which = target.partition(":")
    if role == "controller":
        return (f"broker-{admin.controller()}",)
    if role == "coordinator":
        return (f"broker-{admin.coordinator(group)}",)
    if role in {"broker", "processor"}:
        return (f"{role}-{which}",)
    views = {view.partition: view for view in admin.partitions(topic)}
    partition = _busiest(admin, topic, list(views)) if which == "busiest" else int(which)
    if partition not in views:
        raise LabError(f"target {target!r}: {topic} has the partitions {sorted(views)}, not {partition}")
    if role == "owner":
        return (_owner(admin, group, partition),)
    return _replicas(role, views[partition])


def _busiest(admin: Admin, topic: str, partitions: list[int]) -> int:
    ends = admin.ends(topic, partitions)
    return max(ends, key=lambda p: (ends[p], -p))


def _owner(admin: Admin, group: str, partition: int) -> str:
    view = admin.group(group)
    if partition not in view.owners:
        raise LabError(f"nobody in group {group} owns partition {partition} (state {view.state})")
    return view.owners[partition]


def _replicas(role: str, view: PartitionView) -> tuple[str, ...]:
    if view.leader < 0:
        raise LabError(f"partition {view.partition} has no leader now")
    followers = [f"broker-{r}" for r in view.replicas if r != view.leader]
    if role == "leader":
        return (f"broker-{view.leader}",)
    return tuple(followers if role == "followers" else followers[:1])


def roles_of(node: str, admin: Admin, topic: str, group: str) -> str:
    """What a node is at this moment, in words: what hangs on it decides what its loss does."""
    role, _, number = node.partition("-")
    if role != "broker":
        owned = [str(p) for p, owner in admin.group(group).owners.items() if owner == node]
        return f"owns {', '.join(owned) or 'no partition'}"
    broker, views = int(number), admin.partitions(topic)
    words = [
        ("leads", [v.partition for v in views if v.leader == broker]),
        ("follows", [v.partition for v in views if broker in v.replicas and v.leader != broker]),
    ]
    parts = [f"{word} {', '.join(map(str, found))}" for word, found in words if found]
    parts += ["coordinates the group"] if admin.coordinator(group) == broker else []
    parts += ["is the active controller"] if admin.controller() == broker else []
    return "; ".join(parts) or "leads and follows nothing"
