"""The backend `external` in the supervisor: its nodes are processes of this host, and brokers are none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from factorylab.cluster import boot, control
from factorylab.cluster.external import place
from factorylab.cluster.external.clearing import clear_apart
from factorylab.cluster.local.leftovers import ProcessLeftovers
from factorylab.cluster.local.processes import Children
from factorylab.cluster.supervisor import asking_brokers
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import LabError
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.faults.kind import BrokerRequest, Need, TargetNode


@dataclass
class ForeignBroker(TargetNode):
    """A broker of somebody else: it can be asked, and nothing can be done to its process, which nobody here sees."""

    number: int
    undo: UndoRecords

    @property
    def name(self) -> str:
        return f"broker-{self.number}"

    @property
    def pid(self) -> int | None:
        return None

    @property
    def alive(self) -> bool:
        return True

    @property
    def may_suffer(self) -> Collection[Need]:
        return ()

    async def start(self) -> bool:
        return False

    async def request(self, deed: BrokerRequest) -> None:
        await asking_brokers.carry_out(self.undo.folder.parent, self.name, deed)


class ExternalNodes(Children):
    """Children, and what their runs made on the cluster: that goes when the lab ends, whoever died before."""

    def node(self, name: str, healing: Sequence[Undo] = ()) -> TargetNode | None:
        number = next((n for n in boot.known(self.undo.folder.parent).numbers if name == f"broker-{n}"), None)
        return super().node(name, healing) if number is None else ForeignBroker(number, self.undo)

    def check(self, kind: str, name: str) -> None:
        super().check(kind, name)
        if isinstance(self.node(name), ForeignBroker) and not FAULT_KINDS[kind].by_request:
            raise LabError(f"{name} is not the lab's own: nobody can {kind} it from here")

    async def remove(self) -> None:
        await super().remove()
        home = self.undo.folder.parent
        ended = await asyncio.to_thread(clear_apart, home)
        if ended:
            print(f"deleted on the cluster: {', '.join(ended)}", flush=True)
        (home / place.CLIENT).unlink(missing_ok=True)


class ExternalLeftovers(ProcessLeftovers):
    """Of a supervisor that was killed: its processes die with it, what a run made on the cluster does not."""

    def marked(self) -> bool:
        return bool(place.recorded(self.home))

    def clear(self) -> list[str]:
        return super().clear() + self._cleared()

    def end_outliving(self) -> list[str]:
        died = (self.home / control.STATE).exists()
        return super().end_outliving() + (self._cleared() if died else [])

    def _cleared(self) -> list[str]:
        deleted = clear_apart(self.home)
        (self.home / place.CLIENT).unlink(missing_ok=True)
        return deleted
