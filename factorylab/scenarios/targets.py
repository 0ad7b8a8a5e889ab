"""Whom a fault hits: how a target is written, and what else it asks of the broker that it names.

leader:0                           the broker that leads partition 0 of sensor-data, whatever else it is
leader:0+controller-coordinator    the same; it must be the active controller and must not coordinate the group
follower:0-leader-controller       a broker that follows partition 0, leads none and is not the controller
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from factorylab.core.spelling import matching

_ALSO = r"([+-]controller)?([+-]coordinator)?"
TARGET_PATTERN = (
    rf"leader:\d+{_ALSO}|follower:\d+([+-]leader)?{_ALSO}|(leader|follower):busiest|(followers|owner):(\d+|busiest)|"
    r"controller|coordinator|share_coordinator:\d+|database|broker:\d+|processor:\d+"
)
TARGETS = (
    "leader:P, follower:P, followers:P or owner:P of partition P, a number or 'busiest'; controller, coordinator, "
    "share_coordinator:P (P a number), database, broker:N or processor:N; behind leader:P or follower:P, P a number, "
    "what else the broker must be (+) or must not be (-): leader (behind follower:P), controller, coordinator, in this "
    "order"
)
NODES = ("broker", "processor")  # named by their number
OTHER = {
    "controller": "active controller", "coordinator": "group coordinator", "share_coordinator": "share coordinator",
}  # fmt: skip
Target = Annotated[str, matching(TARGET_PATTERN, TARGETS), Field(description=TARGETS)]


@dataclass(frozen=True)
class TargetParts:
    """A target in its parts: `role`, `which` ("" where it has none), and by each other role whether the broker must
    have it (True) or must not (False)."""

    role: str
    which: str = ""
    also: Mapping[str, bool] = field(default_factory=dict)


def parts(target: str) -> TargetParts:
    """The parts of a target that matches `TARGET_PATTERN`."""
    role, _, rest = target.partition(":")
    which, *also = re.split(r"(?=[+-])", rest)
    return TargetParts(role, which, {word[1:]: word[0] == "+" for word in also})


def named(target: str) -> str:
    """A target as a sentence names it: "the leader of partition 0", "broker-1"."""
    found = parts(target)
    if found.role in NODES:
        return f"{found.role}-{found.which}"
    of = {"": "", "busiest": " of the busiest partition"}.get(found.which, f" of partition {found.which}")
    also = ", ".join(f"{'also' if must else 'not'} {OTHER.get(role, role)}" for role, must in found.also.items())
    article = "a" if found.role == "follower" else "the"
    return f"{article} {OTHER.get(found.role, found.role)}{of}" + (f" ({also})" if also else "")
