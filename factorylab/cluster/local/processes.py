"""The backend `local` in the supervisor: the children of one lab, started and ended as processes of this host.

Nothing here blocks for long: waiting is asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from factorylab.cluster.base import INFRASTRUCTURE, Link
from factorylab.cluster.capabilities import require
from factorylab.cluster.control import Child, ForwardedPort, Inject, NodeState, Recorded, Start
from factorylab.cluster.local.child import Entry, end, gone, spawn
from factorylab.cluster.local.process_node import ProcessNode
from factorylab.cluster.network.isolated_network import Network
from factorylab.cluster.network.volume import Volume
from factorylab.cluster.node_owner import NodeOwner
from factorylab.cluster.supervisor.breaking import Breaking
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import LabError, StartFailed, UsageError
from factorylab.core.files import last_lines
from factorylab.scenarios.fault_catalog import FAULT_KINDS, possible
from factorylab.scenarios.faults.kind import Need, TargetNode


class Children(NodeOwner):
    """All children by name. `changed` is called when one was started; `network` is that of an isolated lab."""

    def __init__(self, undo: UndoRecords, changed: Callable[[], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self.undo = undo
        self.closed = False
        self.network: Network | None = None
        self.volume: Volume | None = None
        self._changed = changed
        self._breaking = Breaking(self)

    async def start(self, request: Start) -> None:
        for spec in request.children:
            if spec.name in self.entries and self.entries[spec.name].running:
                raise UsageError(f"{spec.name} runs already: stop it first")
        for spec in request.children:
            self._spawn(spec)
        entries = [self.entries[spec.name] for spec in request.children]
        await asyncio.gather(*(gone(entry, request.watch_s) for entry in entries))
        for entry in entries:
            if request.watch_s and not entry.running:
                raise StartFailed(
                    f"{entry.spec.name} ended at once with exit code {entry.process.returncode}; its last lines:\n"
                    + last_lines(Path(entry.spec.log))
                )

    async def stop(self, names: Iterable[str], at_most_s: float | None = None) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""
        entries = {name: self.entries[name] for name in names if name in self.entries}
        for name in entries:
            await self._breaking.let_go(name)
        codes = await asyncio.gather(*(end(entry, at_most_s) for entry in entries.values()))
        for name in entries:
            self._forget_faults(name)
        return dict.fromkeys(names) | dict(zip(entries, codes, strict=True))

    async def remove(self) -> None:
        """The end of the lab: no port is forwarded any more before anybody is told that it ended."""
        if self.network:
            self.network.close()
        if self.volume:
            self.volume.close()

    def isolate(self, ports: Sequence[ForwardedPort]) -> None:
        """Give the lab a network of its own, before anything is started in it.

        Raises:
            EnvironmentUnfit: this machine cannot do it, with the way out.
        """
        self.network = Network(self.undo.folder.with_name("logs"))
        self.network.forward_ports(ports)

    def small_disk(self, path: str, owner: int) -> None:
        """Give the database a small file system of its own, before it is started.

        Raises:
            EnvironmentUnfit: this machine cannot do it, with the way out.
        """
        self.volume = Volume(Path(path), owner, self.network.hub if self.network else None)

    async def inject(self, request: Inject) -> None:
        await self._breaking.inject(request)

    async def heal(self, fault: int | None) -> list[str]:
        return await self._breaking.heal(fault)

    # -- what `Breaking` asks

    def node(self, name: str, healing: Sequence[Undo] = ()) -> TargetNode | None:
        if name not in self.entries:
            return None
        return ProcessNode(name, self.entries, self.undo, self._spawn, self.network, self.volume, healing)

    def known(self) -> list[str]:
        return list(self.entries)

    def check(self, kind: str, name: str) -> None:
        offers: set[Need] = {"network"} if self.network else set()
        offers |= {"small_disk"} if self.volume else set()
        offers |= {"versions"} if any(entry.spec.versions for entry in self.entries.values()) else set()
        require({kind}, possible(offers), "this lab")
        if FAULT_KINDS[kind].needs == "network" and self.network and name in self.entries:
            self.network.check(name)

    def hurt(self) -> list[str]:
        cut = self.network.cut_nodes() if self.network else []
        return [name for name, entry in self.entries.items() if entry.paused or self._missed(entry)] + cut

    # -- looking

    async def reach(self) -> list[Link]:
        """Who reaches which broker; empty where all share the host's network."""
        running = [name for name, entry in self.entries.items() if entry.running]
        return await self.network.reach(running) if self.network else []

    def _spawn(self, spec: Child) -> Entry:
        if self.closed:
            raise LabError(f"the lab is going down: {spec.name} was not started")
        place = self.network.place(spec.name, spec.role) if self.network else None
        entry = spawn(spec, place, self.volume if spec.role == "database" else None)
        self.entries[spec.name] = entry
        self._changed()
        return entry

    def _missed(self, entry: Entry) -> bool:
        return entry.spec.role in INFRASTRUCTURE and not entry.running

    def _forget_faults(self, node: str) -> None:
        for record in self.undo.find(node=node):
            self.undo.remove(record)
        if not self.closed and self.network:
            self.network.cut(node, ())

    def names(self, role: str, *, outliving: bool = True) -> list[str]:
        """All of a role; without `outliving` only what ends with its driver."""
        return [n for n, e in self.entries.items() if e.spec.role == role and (outliving or not e.spec.outlives_driver)]

    def states(self) -> list[NodeState]:
        return [entry.state() for entry in self.entries.values()]

    def recorded(self) -> list[Recorded]:
        return [Recorded(e.spec.name, e.process.pid, e.created) for e in self.entries.values()]
