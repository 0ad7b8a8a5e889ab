"""What happened between two moments, in words."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from factorylab.operations.live.moments import FaultShown, Mark, Moment

QUIET = {"running", "ended"}


class Marks:
    """Compares each moment with what was known before: what nobody answers for a while may change meanwhile."""

    def __init__(self) -> None:
        self._before: Moment | None = None
        self._owners: dict[int, str] = {}
        self._leaders: dict[int, int] = {}

    def of(self, now: Moment) -> Moment:
        """The moment with its marks."""
        found = list(self._since(self._before or now, now))
        self._before = now
        return msgspec.structs.replace(now, marks=found)

    def _since(self, before: Moment, now: Moment) -> Iterator[Mark]:
        if now.subject != before.subject:
            self._owners, self._leaders = {}, {}
            yield Mark(now.at_s, "run", f"watching {now.subject}")
        held, holds = _names(before.faults), _names(now.faults)
        yield from (Mark(now.at_s - one.held_s, "fault", name) for name, one in holds.items() if name not in held)
        yield from (Mark(now.at_s, "heal", f"healed: {name}") for name in held if name not in holds)
        yield from _of_nodes(before, now)
        yield from self._of_leaders(now)
        yield from self._of_owners(now)

    def _of_leaders(self, now: Moment) -> Iterator[Mark]:
        for one in now.partitions:
            if one.leader is None:
                continue
            if self._leaders.get(one.partition, one.leader) != one.leader:
                led = f"is led by broker-{one.leader}" if one.leader >= 0 else "has no leader"
                yield Mark(now.at_s, "leader", f"partition {one.partition} {led}")
            self._leaders[one.partition] = one.leader

    def _of_owners(self, now: Moment) -> Iterator[Mark]:
        owners = {one.partition: one.owner for one in now.partitions if one.owner is not None}
        if len(owners) < len(now.partitions) or not owners:
            return
        if self._owners and owners != self._owners:
            told = ", ".join(f"{partition} → {owner or 'nobody'}" for partition, owner in owners.items())
            yield Mark(now.at_s, "rebalance", f"owners: {told}")
        self._owners = owners


def _of_nodes(before: Moment, now: Moment) -> Iterator[Mark]:
    statuses = {node.name: node.status for node in before.nodes}
    for node in now.nodes:
        was = statuses.get(node.name, node.status)
        if was != node.status and not {was, node.status} <= QUIET:
            yield Mark(now.at_s, "node", f"{node.name} is {node.status}")


def _names(faults: list[FaultShown]) -> dict[str, FaultShown]:
    return {f"{fault.kind} {fault.node}": fault for fault in faults}
