"""What brokers themselves tell after a request, as evidence that it was done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from factorylab.cluster.faults.targets import Roles
from factorylab.cluster.views import GroupMember, GroupView
from factorylab.core.errors import WaitTimeout
from factorylab.core.waiting import wait_until
from factorylab.scenarios.faults.kind import LeadersShow, Leading, Proof


def leaders_seen(roles: Roles, shows: LeadersShow, node: str, before: Mapping[int, Leading], timeout_s: float) -> str:
    """How leaderships moved, in words that go on after the node's name. Raises WaitTimeout where they did not."""
    broker, since = int(node.partition("-")[2]), defaultdict[int, list[Leading]](list)

    def proof() -> Proof:
        return shows.proof(broker, before, since)

    def proven() -> bool:
        roles.look("views")
        for partition, view in roles.views.items():
            since[partition].append(Leading(view.leader, view.epoch))
        return proof().ok

    what = f"{node} to give up what it leads"
    wait_until(proven, what=what, timeout_s=timeout_s, last_seen=lambda: proof().words)
    return proof().words


def removal_seen(roles: Roles, node: str, before: Sequence[GroupMember], timeout_s: float) -> str:
    """How the membership ended, in words that go on after the node's name. Raises WaitTimeout where it did not."""
    old = next((member for member in before if member.name == node), None)
    if old is None:
        raise WaitTimeout(f"{node} was not seen in {roles.group} before")
    told: list[str] = []

    def put_out() -> bool:
        roles.look("members")
        told[:] = [] if "members" in roles.stale else [removed(old, roles.members)]
        return bool(told and told[0])

    wait_until(put_out, what=f"{node} to be put out of {roles.group}", timeout_s=timeout_s)
    return told[0]


def removed(old: GroupMember, now: GroupView) -> str:
    """How a group shows that this membership has ended, in words that go on after the member's name; empty where it
    does not. With KIP-848 a later epoch may be that of any other change of the group as well."""
    new = next((member for member in now.members if member.name == old.name), None)
    if new is None:
        return f"is in the group no more ({now.state})"
    if new.id != old.id:
        return "is a new member of the group"
    return f"is in the group by a later epoch ({old.epoch} → {new.epoch})" if new.epoch > old.epoch else ""
