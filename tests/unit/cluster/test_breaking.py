"""Healing everything: what may hold although nothing says so is undone, too."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from factorylab.cluster.supervisor.breaking import Breaking
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.faults.kind import Need, ProcessState, TargetNode


class SilentNode(TargetNode):
    """Nothing is recorded about it; it notes what is undone."""

    name, pid = "database", 1

    def __init__(self, may_suffer: Collection[Need]) -> None:
        self._needs, self.done = may_suffer, list[str]()

    @property
    def may_suffer(self) -> Collection[Need]:
        return self._needs

    def look(self) -> ProcessState:
        return ProcessState(0, self.pid, "running")

    async def start(self) -> bool:
        return False

    async def _note(self, what: str) -> bool:
        self.done.append(what)
        return True

    async def resume(self) -> bool:
        return await self._note("pause")

    async def cut(self) -> bool:
        return await self._note("partition")

    async def reconnect(self) -> bool:
        return await self._note("disconnect")

    async def empty(self) -> bool:
        return await self._note("fill")


class OneNode:
    closed = False

    def __init__(self, folder: Path, node: SilentNode) -> None:
        self.undo, self._node = UndoRecords(folder), node

    def node(self, name: str, healing: Sequence[Undo] = ()) -> SilentNode:
        return self._node

    def known(self) -> list[str]:
        return [self._node.name]

    def check(self, kind: str, name: str) -> None: ...

    def hurt(self) -> list[str]:
        return [self._node.name]


@pytest.mark.parametrize(
    ("may_suffer", "undone"),
    [
        ((), []),
        (("processes",), ["pause"]),
        (("processes", "network"), ["pause", "partition"]),
        (("processes", "switch"), ["pause", "disconnect"]),
        (("processes", "small_disk"), ["pause", "fill"]),
    ],
)
def test_what_lingers_is_undone_without_a_record(
    tmp_path: Path, may_suffer: Collection[Need], undone: list[str]
) -> None:
    """Healing everything undoes the kinds that linger where the node may suffer them, and no others."""
    node = SilentNode(may_suffer)
    told = asyncio.run(Breaking(OneNode(tmp_path, node)).heal(None))
    assert sorted(node.done) == sorted(undone)
    assert sorted(told) == sorted(FAULT_KINDS[name].undone.format(node="database") for name in undone)
