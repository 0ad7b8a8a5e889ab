"""Healing everything: what may hold although nothing says so is undone, too."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from factorylab.cluster.control import Inject
from factorylab.cluster.supervisor.breaking import Breaking
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.kafka_versions import KAFKA_VERSIONS, KafkaVersion
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


class Broker(TargetNode):
    """It needs a moment for its orderly end; it notes what is done to it."""

    name = "broker-1"

    def __init__(self) -> None:
        self.process: int | None = 1
        self.done = list[str]()

    @property
    def pid(self) -> int | None:
        return self.process

    def look(self) -> ProcessState:
        return ProcessState(0, self.pid, "running" if self.pid else "dead")

    async def use_version(self, kafka: KafkaVersion) -> None:
        self.done.append(kafka)

    async def terminate(self) -> None:
        self.done.append("terminate")
        asyncio.get_running_loop().call_later(0.03, self._end)

    def _end(self) -> None:
        self.process = None
        self.done.append("ended")

    async def start(self) -> bool:
        if self.process is None:
            self.process = 2
            self.done.append("start")
            return True
        return False


class OneNode:
    closed = False

    def __init__(self, folder: Path, node: SilentNode | Broker) -> None:
        self.undo, self._node = UndoRecords(folder), node

    def node(self, name: str, healing: Sequence[Undo] = ()) -> SilentNode | Broker:
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


@pytest.mark.parametrize(
    ("kind", "version"), [("bounce", []), ("upgrade", [KAFKA_VERSIONS[-1]]), ("downgrade", [KAFKA_VERSIONS[0]])]
)
def test_a_bounced_broker_ends_in_order_and_is_back_once(tmp_path: Path, kind: str, version: list[str]) -> None:
    """The injection does not wait for the end; the broker starts as soon as it has ended, as the version that it is to
    have, and healing does not start it again."""
    node = Broker()

    async def play() -> list[str]:
        breaking = Breaking(OneNode(tmp_path, node))
        await breaking.inject(Inject(0, node.name, kind))
        assert node.pid == 1
        async with asyncio.timeout(10):
            while node.pid != 2:
                await asyncio.sleep(0.005)
        return await breaking.heal(0)

    assert asyncio.run(play()) == []
    assert node.done == [*version, "terminate", "ended", "start"]
