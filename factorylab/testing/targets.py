"""Whom a test breaks, as it writes that: the topic and the group stand in the target."""

from __future__ import annotations

import re
from dataclasses import dataclass

from factorylab.core.errors import UsageError

TARGETS = (
    "leader:TOPIC/PARTITION, follower:TOPIC/PARTITION, followers:TOPIC/PARTITION, controller, coordinator:GROUP, "
    "broker:NUMBER or database"
)
_OF_PARTITION = re.compile(r"(?P<role>leader|followers?):(?P<topic>[A-Za-z0-9._-]{1,249})/(?P<partition>\d+)")
_OF_GROUP = re.compile(r"coordinator:(?P<group>.+)")
_ALONE = re.compile(r"controller|database|broker:\d+")


@dataclass(frozen=True)
class Aim:
    """`target` as scenarios write it, and the topic or the group that it is about ("" where it is about none)."""

    target: str
    topic: str = ""
    partition: int = -1
    group: str = ""


def aim_at(target: str) -> Aim:
    """What a target means.

    Raises:
        UsageError: it is none.
    """
    if found := _OF_PARTITION.fullmatch(target):
        partition = int(found["partition"])
        return Aim(f"{found['role']}:{partition}", topic=found["topic"], partition=partition)
    if found := _OF_GROUP.fullmatch(target):
        return Aim("coordinator", group=found["group"])
    if _ALONE.fullmatch(target):
        return Aim(target)
    raise UsageError(f"{target!r} is no target: take {TARGETS}")
