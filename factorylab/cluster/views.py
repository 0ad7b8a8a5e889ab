"""What a cluster says of partitions and groups, whoever asked and by whatever client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PartitionView:
    """`leader` is −1 where there is none."""

    partition: int
    leader: int
    epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]

    @property
    def full(self) -> bool:
        return self.leader >= 0 and set(self.isr) == set(self.replicas)


@dataclass(frozen=True)
class GroupMember:
    """`name` is the client id, which is the worker's name.

    `id` and `epoch` tell a membership from an earlier one of the same member: with a classic protocol it gets another
    id, and has no epoch (−1); with KIP-848 it keeps its id, and has a later epoch.
    """

    name: str
    partitions: tuple[int, ...]
    id: str = ""
    epoch: int = -1
    instance: str | None = None


@dataclass(frozen=True)
class GroupView:
    """A consumer group: its state and who owns what."""

    state: str
    members: tuple[GroupMember, ...]

    @property
    def owners(self) -> dict[int, str]:
        return {partition: member.name for member in self.members for partition in member.partitions}
