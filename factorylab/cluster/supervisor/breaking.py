"""Breaking nodes and healing them, the same for every backend: the kind of fault says what, the node does it.

An undo record is on the disk before the deed, and goes when the deed is undone. What holds a fault is a task until it
is undone. Whatever was done to a node, it is resumed, and started where it is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from factorylab.cluster.control import Inject
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import LabError, UsageError
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.faults.kind import FaultKind, TargetNode


class BreakableNodes(Protocol):
    """The nodes of a lab as they can be broken."""

    undo: UndoRecords
    closed: bool

    def node(self, name: str, healing: Sequence[Undo] = ()) -> TargetNode | None:
        """None where there is none; the faults of `healing` do not hold any more."""

    def known(self) -> list[str]: ...

    def check(self, kind: str, name: str) -> None:
        """Refuse what this lab cannot do to this node, before its undo record is written."""

    def hurt(self) -> list[str]:
        """Which need healing though no record says so."""


class Breaking:
    """Breaking and healing take turns: where the driver dies meanwhile, its healing waits until a deed is done."""

    def __init__(self, nodes: BreakableNodes) -> None:
        self._nodes, self._undo = nodes, nodes.undo
        self._turn = asyncio.Lock()
        self._holding: dict[tuple[str, str], asyncio.Task[None]] = {}  # by node and kind

    async def inject(self, request: Inject) -> None:
        """Break a node.

        Raises:
            LabError: there is no such node, it is dead, or the lab cannot do that.
        """
        async with self._turn:
            self._nodes.check(request.kind, request.node)
            node = self._nodes.node(request.node)
            if node is None:
                known = ", ".join(sorted(self._nodes.known()))
                raise UsageError(f"no node {request.node!r}; there are: {known}")
            if not node.alive:
                raise LabError(f"{request.node} is dead already: {request.kind} needs a running target; heal first")
            self._undo.add(Undo(request.fault, request.node, request.kind, node.pid, request.cut, request.own))
            kind = FAULT_KINDS[request.kind]
            await kind.inject(node)
            if kind.hold and (node.name, kind.name) not in self._holding:
                self._holding[node.name, kind.name] = asyncio.create_task(_held(kind, node))

    async def heal(self, fault: int | None) -> list[str]:
        """Heal the targets of a fault; for None brokers and database too, whatever they suffer from."""
        async with self._turn:
            records = self._undo.find(fault)
            names = [record.node for record in records] + (self._nodes.hurt() if fault is None else [])
            nodes = [node for name in dict.fromkeys(names) if (node := self._nodes.node(name, records))]
            done = await asyncio.gather(*(self._heal(node, records) for node in nodes), return_exceptions=True)
            failed = {node.name: error for node, error in zip(nodes, done, strict=True) if not isinstance(error, list)}
            for record in records:
                if record.node not in failed:
                    self._undo.remove(record)
            for error in failed.values():
                raise error
            return [text for texts in done if isinstance(texts, list) for text in texts]

    async def _heal(self, node: TargetNode, records: Sequence[Undo]) -> list[str]:
        """One node, in an order that works whatever was done to it; what was done."""
        own = [record for record in records if record.node == node.name]
        held = {record.kind for record in self._undo.find(node=node.name) if record not in own}
        kinds = [k for k in FAULT_KINDS.values() if _to_undo(k, node, own) and (k.adds_up or k.name not in held)]
        kinds.sort(key=lambda kind: not kind.stops)
        done = [await self._undone(kind, node) for kind in kinds if not kind.undo_last]
        if any(FAULT_KINDS[record.kind].ends_process and record.pid == node.pid for record in own):
            await node.gone()
        if not self._nodes.closed:
            done += [f"started {node.name}"] * await node.start()
            done += [await self._undone(kind, node) for kind in kinds if kind.undo_last]
        return [text for text in done if text]

    async def _undone(self, kind: FaultKind, node: TargetNode) -> str:
        """Undo it; what was done, empty where there was nothing to do."""
        await self._let_go((node.name, kind.name))
        return kind.undone.format(node=node.name) if kind.undo and await kind.undo(node) else ""

    async def let_go(self, name: str) -> None:
        """Hold no fault on a node any more: it is about to be stopped."""
        for key in [key for key in self._holding if key[0] == name]:
            await self._let_go(key)

    async def _let_go(self, key: tuple[str, str]) -> None:
        if task := self._holding.pop(key, None):
            task.cancel()
            await asyncio.wait([task])


def _to_undo(kind: FaultKind, node: TargetNode, own: Iterable[Undo]) -> bool:
    recorded = any(record.kind == kind.name for record in own)
    return recorded or (kind.lingers and kind.needs in node.may_suffer)


async def _held(kind: FaultKind, node: TargetNode) -> None:
    try:
        if kind.hold:
            await kind.hold(node)
    except Exception as error:  # a task: the supervisor's log has it, and the audit sees what is not held
        print(f"{kind.name} of {node.name} is no longer held: {error}", flush=True)
