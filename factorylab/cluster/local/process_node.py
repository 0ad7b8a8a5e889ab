"""What a fault can do to a node that is a process of this host."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from factorylab.cluster.base import Cut
from factorylab.cluster.control import Child
from factorylab.cluster.local.child import KILLED_S, Entry, gone, orphans_gone
from factorylab.cluster.look import look
from factorylab.cluster.network.isolated_network import Network
from factorylab.cluster.network.volume import Volume
from factorylab.cluster.supervisor import asking_brokers, refusal
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.scenarios.faults.kind import BrokerRequest, Need, ProcessState, TargetNode


@dataclass
class ProcessNode(TargetNode):
    """The node `key` of `entries`, as its latest process. `spawn` starts it again; `healing` are the faults that do not
    hold any more."""

    key: str
    entries: Mapping[str, Entry]
    undo: UndoRecords
    spawn: Callable[[Child], Entry]
    network: Network | None
    volume: Volume | None
    healing: Sequence[Undo] = ()

    @property
    def entry(self) -> Entry:
        return self.entries[self.key]

    @property
    def name(self) -> str:
        return self.key

    @property
    def pid(self) -> int | None:
        return self.entry.process.pid if self.entry.running else None

    @property
    def may_suffer(self) -> Collection[Need]:
        cut = self.network is not None and self.name in self.network.cut_nodes()
        filled = self.volume is not None and self.entry.spec.role == "database"
        needs: dict[Need, bool] = {"processes": True, "network": cut, "small_disk": filled}
        return [need for need, may in needs.items() if may]

    def look(self) -> ProcessState:
        return look(self.pid)

    async def kill(self) -> None:
        self.entry.kill()

    async def terminate(self) -> None:
        self.entry.signal(self.entry.spec.stop_signal)

    async def gone(self) -> None:
        if not await gone(self.entry, self.entry.spec.stop_s):
            self.entry.signal(signal.SIGKILL)
            await gone(self.entry, KILLED_S)

    async def start(self) -> bool:
        if self.entry.running:
            return False
        await orphans_gone(self.entry, KILLED_S)  # a new PostgreSQL does not start beside backends of the old one
        self.spawn(self.entry.spec)
        return True

    async def use_version(self, kafka: KafkaVersion) -> None:
        spec = self.entry.spec
        self.entry.spec = msgspec.structs.replace(spec, argv=spec.versions[kafka])

    async def pause(self) -> None:
        self.entry.held_still = True
        self.entry.signal(signal.SIGSTOP)

    async def resume(self) -> bool:
        """What is only stopped in turns, as a slow node is, goes on with that."""
        was_paused = self.entry.held_still or (self.entry.paused and not self.entry.in_turn)
        self.entry.held_still = False
        self.entry.signal(signal.SIGCONT)
        return was_paused

    def stop(self) -> None:
        self.entry.turn(signal.SIGSTOP)

    def go_on(self) -> None:
        self.entry.turn(signal.SIGCONT)

    async def cut(self) -> bool:
        still = [record for record in self.undo.find(node=self.name) if record not in self.healing]
        cuts = [record.cut or Cut() for record in still if record.kind == "partition"]
        return self.network is not None and self.network.cut(self.name, cuts)

    async def refuse(self) -> None:
        await refusal.carry_out(self.undo.folder.parent, "shut")

    async def accept(self) -> bool:
        await refusal.carry_out(self.undo.folder.parent, "lift")
        return True

    async def request(self, deed: BrokerRequest) -> None:
        await asking_brokers.carry_out(self.undo.folder.parent, self.name, deed)

    async def fill(self) -> None:
        if self.volume:
            self.volume.fill()

    async def empty(self) -> bool:
        return self.volume is not None and self.volume.empty()
