"""What the supervisor asks of whatever starts and ends the nodes of a lab: one class a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from factorylab.cluster.base import Link
from factorylab.cluster.control import ForwardedPort, Inject, NodeState, Recorded, Start
from factorylab.cluster.undo import UndoRecords


class NodeOwner(Protocol):
    """All nodes of a lab by name. Nothing here blocks for long: waiting is asyncio's.

    `changed` is called when a node was started; once `closed`, nothing is started any more.
    """

    closed: bool

    def __init__(self, undo: UndoRecords, changed: Callable[[], None]) -> None: ...

    async def start(self, request: Start) -> None: ...

    async def stop(self, names: Iterable[str], at_most_s: float | None = None) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""

    async def remove(self) -> None:
        """The end of the lab: nothing of it is left."""

    def isolate(self, ports: Sequence[ForwardedPort]) -> None:
        """Give the lab a network of its own, before anything is started in it."""

    def small_disk(self, path: str, owner: int) -> None:
        """Give the database a small file system of its own, before it is started."""

    async def inject(self, request: Inject) -> None:
        """Break a node: the undo record is on the disk before the deed."""

    async def heal(self, fault: int | None) -> list[str]:
        """Undo one fault or all of them; what was done, in words."""

    async def reach(self) -> list[Link]:
        """Who reaches which broker; empty where all share the host's network."""

    def names(self, role: str, *, outliving: bool = True) -> list[str]:
        """All of a role; without `outliving` only what ends with its driver."""

    def states(self) -> list[NodeState]: ...

    def recorded(self) -> list[Recorded]: ...
