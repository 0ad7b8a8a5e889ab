"""A broker's leaderships are given to others, and given back: the replicas stay, their order changes.

The first replica of a partition is its preferred leader. A new order copies nothing, and alone it moves nothing either:
a preferred election does (Kafka would hold one by itself within `leader.imbalance.check.interval.seconds`, 300 s).
"""

from __future__ import annotations

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Own
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import LabError

MOVED_WITHIN_S = 20.0  # it takes a fraction of a second


def demote(admin: Admin, node: str, own: Own) -> None:
    """Have another replica in sync lead each partition of `own`.

    Raises:
        LabError: the node leads none, or a partition has no other replica in sync; nothing is moved then.
    """
    if not own.replicas:
        raise LabError(f"{node} leads no partition of {own.topic}")
    views = {view.partition: view for view in admin.partitions(own.topic)}
    _place(admin, own.topic, {p: led_by_another(views[p], replicas) for p, replicas in own.replicas.items()})


def reinstate(admin: Admin, node: str, own: Own) -> None:
    """Give each partition its former order, and have the first replica lead. A topic that is gone has neither."""
    if own.replicas and own.topic in admin.topics():
        _place(admin, own.topic, own.replicas)


def led_by_another(view: PartitionView, replicas: tuple[int, ...]) -> tuple[int, ...]:
    """The same replicas in an order whose first is in sync, and is not the leader: the next one after it.

    Raises:
        LabError: there is none.
    """
    at = replicas.index(view.leader) if view.leader in replicas else 0
    turned = (*replicas[at + 1 :], *replicas[: at + 1])
    new = next((replica for replica in turned if replica in view.isr and replica != view.leader), None)
    if new is None:
        raise LabError(f"no other replica of partition {view.partition} is in sync: nobody can lead it instead")
    return (new, *(replica for replica in replicas if replica != new))


def _place(admin: Admin, topic: str, replicas: dict[int, tuple[int, ...]]) -> None:
    admin.place(topic, replicas)
    admin.wait_placed(topic, replicas, MOVED_WITHIN_S)
