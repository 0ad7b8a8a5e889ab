"""What a fault can do to a node that is a container.

A partition is a packet filter inside the node's own network, set by a helper container that shares that network and has
the one capability for it. A disconnected node comes back with its names and its address.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from factorylab.cluster.base import Cut
from factorylab.cluster.docker import engine
from factorylab.cluster.docker.container import Container
from factorylab.cluster.docker.creation import LOCKED_DOWN, Plan
from factorylab.cluster.docker.threads import Threads
from factorylab.cluster.local.child import KILLED_S, gone
from factorylab.cluster.look import look
from factorylab.cluster.network.cuts import drops, iptables_rules
from factorylab.cluster.supervisor import asking_brokers, refusal
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import LabError
from factorylab.scenarios.faults.kind import BrokerRequest, Need, ProcessState, TargetNode

FILTER = 'printf "%s" "$RULES" | iptables-restore'  # the nftables form: the legacy one needs NET_RAW as well

CPU_PERIOD_US, NO_QUOTA = 100_000, -1  # as control groups count


@dataclass
class ContainerNode(TargetNode):
    """`peers` are the addresses of the other brokers. `changed` is called when it was started; `healing` are the faults
    that do not hold any more."""

    entry: Container
    undo: UndoRecords
    plan: Plan
    threads: Threads
    peers: Sequence[str]
    changed: Callable[[], None]
    healing: Sequence[Undo] = ()

    @property
    def name(self) -> str:
        return self.entry.spec.name

    @property
    def pid(self) -> int | None:
        return self.entry.process.pid if self.entry.process and self.entry.running else None

    @property
    def may_suffer(self) -> Collection[Need]:
        return ("processes", "switch")

    def look(self) -> ProcessState:
        return look(self.pid)

    async def kill(self) -> None:
        await self.threads.do(self.entry.signal, signal.SIGKILL)

    async def terminate(self) -> None:
        await self.threads.do(self.entry.signal, self.entry.spec.stop_signal)

    async def gone(self) -> None:
        if not await gone(self.entry, self.entry.spec.stop_s):
            await self.kill()
            await gone(self.entry, KILLED_S)

    async def start(self) -> bool:
        if self.entry.running:
            return False
        await self.threads.do(self.entry.start)
        self.changed()
        if self._cuts():  # its network is a new one: without the cut that holds
            await self.cut()
        return True

    async def pause(self) -> None:
        await self.threads.do(self.entry.pause)

    async def resume(self) -> bool:
        was_paused = self.entry.paused
        await self.threads.do(self.entry.unpause)
        return was_paused

    async def limit(self, share: float) -> None:
        await self.threads.do(self._set_quota, int(share * CPU_PERIOD_US))

    async def unlimit(self) -> bool:
        await self.threads.do(self._set_quota, NO_QUOTA)
        return True

    async def refuse(self) -> None:
        await refusal.carry_out(self.undo.folder.parent, "shut")

    async def accept(self) -> bool:
        await refusal.carry_out(self.undo.folder.parent, "lift")
        return True

    async def request(self, deed: BrokerRequest) -> None:
        await asking_brokers.carry_out(self.undo.folder.parent, self.name, deed)

    async def cut(self) -> bool:
        if self.entry.running:
            await self.threads.do(self._filter, iptables_rules(drops(self._cuts(), self.peers)))
        return self.entry.running

    async def disconnect(self) -> None:
        await self.threads.do(self.entry.disconnect)

    async def reconnect(self) -> bool:
        return await self.threads.do(self.entry.reconnect)

    def _cuts(self) -> list[Cut]:
        """What the open network partitions of this node drop."""
        still = [record for record in self.undo.find(node=self.name) if record not in self.healing]
        return [record.cut or Cut() for record in still if record.kind == "partition"]

    def _set_quota(self, quota_us: int) -> None:
        with engine.asking(f"limiting the CPU time of {self.name}"):
            self.entry.client.api.update_container(self.entry.id, cpu_period=CPU_PERIOD_US, cpu_quota=quota_us)

    def _filter(self, rules: str) -> None:
        with engine.asking(f"the packet filter of {self.name}"):
            helper = self.entry.client.containers.create(
                self.plan.netfault_image, entrypoint=["/bin/sh", "-c", FILTER], environment={"RULES": rules},
                network_mode=f"container:{self.entry.id}", cap_add=["NET_ADMIN"], user="0:0", tmpfs={"/run": "size=1m"},
                labels=self.plan.labels("netfault"), **LOCKED_DOWN,
            )  # fmt: skip
            try:
                helper.start()
                code = helper.wait(timeout=engine.ANSWER_S)["StatusCode"]  # run() would wait for ever
                said = helper.logs().decode(errors="replace").strip()
            finally:
                helper.remove(force=True)
        if code:
            raise LabError(f"the packet filter of {self.name} was not set (exit code {code}): {said}")
