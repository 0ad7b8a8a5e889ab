"""The backend `compose` in the supervisor: containers, and the probe as a child process.

- Brokers, database and the standing factory are services of compose.yaml; the workers of a run are containers of the
  application image in their network. All carry the project's label, by which the end of the lab removes them.
- Whether a node lives is the kernel's word on its process on this host; the engine is asked for exit codes only.
- Calls to the engine block, so they run in threads, each with a deadline.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from factorylab.cluster.backend_registry import BACKENDS
from factorylab.cluster.base import INFRASTRUCTURE, Link
from factorylab.cluster.capabilities import require
from factorylab.cluster.control import Child, ForwardedPort, Inject, NodeState, Recorded, Start
from factorylab.cluster.docker import engine, projects
from factorylab.cluster.docker.attempts import Shell
from factorylab.cluster.docker.container import Container
from factorylab.cluster.docker.container_node import ContainerNode
from factorylab.cluster.docker.creation import PLAN, Composing, Plan, create_worker
from factorylab.cluster.docker.threads import Threads
from factorylab.cluster.local.child import KILLED_S, gone
from factorylab.cluster.local.processes import Children
from factorylab.cluster.network import reach
from factorylab.cluster.node_owner import NodeOwner
from factorylab.cluster.places import INNER_PORT
from factorylab.cluster.supervisor.breaking import Breaking
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import EnvironmentUnfit, LabError, StartFailed, UsageError
from factorylab.core.files import last_lines, read_json

AGAIN_S = 1.0  # a process that is only beginning may miss a signal to end: it is sent again
TOLD_S = 10.0
FINISHED_S = 15.0
ON_THIS_HOST = "probe"  # it looks from outside, and at processes of this host


class Containers(NodeOwner):
    """All nodes by name. `changed` is called when one was started."""

    def __init__(self, undo: UndoRecords, changed: Callable[[], None]) -> None:
        self.home = undo.folder.parent
        plan = read_json(self.home / PLAN, Plan)
        if plan is None:
            raise EnvironmentUnfit(f"{self.home / PLAN} is gone: 'factorylab down', then 'factorylab up'")
        self.plan = plan
        self.client = engine.connect()
        self.host = Children(undo, changed)
        self.entries: dict[str, Container] = {}
        self.undo = undo
        self.closed = False
        self._changed = changed
        self._threads = Threads(engine.POOL)
        self._starting = asyncio.Lock()
        self._breaking = Breaking(self)
        self._composing = Composing(plan, self.home)
        self._shells: dict[str, Shell] = {}

    # -- starting

    async def start(self, request: Start) -> None:
        for spec in request.children:
            if spec.name in self.entries and self.entries[spec.name].running:
                raise UsageError(f"{spec.name} runs already: stop it first")
        ours = [spec for spec in request.children if spec.role != ON_THIS_HOST]
        services = [spec for spec in ours if not spec.argv]  # compose.yaml says what they run
        async with self._starting:
            if self.closed:
                raise LabError("the lab is going down: nothing was started")
            if services:
                await self._bring_up(services)
            await asyncio.gather(*(self._create(spec) for spec in ours if spec not in services))
        self._changed()
        await self.host.start(Start([s for s in request.children if s.role == ON_THIS_HOST], request.watch_s))
        await asyncio.gather(*(self._watch(self.entries[spec.name], request.watch_s) for spec in ours))

    async def _bring_up(self, services: Sequence[Child]) -> None:
        """Have compose create and start them, and take them over."""
        said = await self._composing.up([spec.name for spec in services])
        found = await self._threads.do(projects.containers, self.client, self.plan.project)
        lacking = [spec.name for spec in services if spec.name not in found]
        if lacking:
            raise StartFailed(f"compose did not start {', '.join(lacking)}:\n{said}{engine.room_if_full(said)}")
        for spec in services:
            self.entries[spec.name] = Container(self.client, spec, found[spec.name], self.plan.network)
        await asyncio.gather(*(self._threads.do(self.entries[spec.name].follow) for spec in services))

    async def _create(self, spec: Child) -> None:
        """A worker's container in the place of the one before."""
        if old := self.entries.pop(spec.name, None):
            await self._threads.do(old.remove)
        hosts = {e.spec.name: e.address for e in self.entries.values() if e.spec.role in INFRASTRUCTURE}
        self.entries[spec.name] = await self._threads.do(create_worker, self.client, self.plan, spec, hosts)
        await self._threads.do(self.entries[spec.name].start)

    async def _watch(self, entry: Container, watch_s: float) -> None:
        if watch_s and await gone(entry, watch_s):
            await self._threads.do(entry.told, TOLD_S)
            raise StartFailed(
                f"{entry.spec.name} ended at once with exit code {entry.exit_code}; its last lines:\n"
                + last_lines(Path(entry.spec.log))
            )

    # -- ending

    async def stop(self, names: Iterable[str], at_most_s: float | None = None) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""
        names = list(names)
        entries = {name: self.entries[name] for name in names if name in self.entries}
        for name in entries:
            await self._breaking.let_go(name)
        codes = await asyncio.gather(*(self._end(entry, at_most_s) for entry in entries.values()))
        for name in entries:
            for record in self.undo.find(node=name):
                self.undo.remove(record)
        on_host = await self.host.stop([name for name in names if name in self.host.entries], at_most_s)
        return dict.fromkeys(names) | dict(zip(entries, codes, strict=True)) | on_host

    async def _end(self, entry: Container, at_most_s: float | None) -> int | None:
        """Ask a node to end, wake it should it be paused, and kill it when its time is over; None if killed."""
        deadline = time.monotonic() + (entry.spec.stop_s if at_most_s is None else at_most_s)
        while entry.running and (left := deadline - time.monotonic()) > 0:
            await self._threads.do(entry.signal, entry.spec.stop_signal)
            await self._threads.do(entry.unpause)
            await gone(entry, min(left, AGAIN_S))
        in_time = not entry.running
        if not in_time:
            await self._threads.do(entry.signal, signal.SIGKILL)
            await gone(entry, KILLED_S)
        await self._threads.do(entry.told, TOLD_S)
        return entry.exit_code if in_time else None

    async def remove(self) -> None:
        """The end of the lab: nothing of the project is left. What is just being started comes up first, as the engine
        would finish it anyhow.

        Raises:
            EnvironmentUnfit: the engine does not answer.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._starting.acquire(), FINISHED_S)
        await self._composing.end()
        await self._threads.do(projects.remove, self.client, self.plan.project)
        (self.home / PLAN).unlink(missing_ok=True)

    # -- faults

    async def inject(self, request: Inject) -> None:
        await self._breaking.inject(request)

    async def heal(self, fault: int | None) -> list[str]:
        return await self._breaking.heal(fault)

    def node(self, name: str, healing: Sequence[Undo] = ()) -> ContainerNode | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        peers = [e.address for e in self.entries.values() if e.spec.role == "broker" and e is not entry]
        return ContainerNode(entry, self.undo, self.plan, self._threads, peers, self._changed, healing)

    def known(self) -> list[str]:
        return list(self.entries)

    def check(self, kind: str, name: str) -> None:
        require({kind}, BACKENDS["compose"].can, "this lab")

    def hurt(self) -> list[str]:
        return [name for name, e in self.entries.items() if e.spec.role in INFRASTRUCTURE or e.paused]

    # -- looking

    def isolate(self, ports: Sequence[ForwardedPort]) -> None:
        """Containers have networks of their own."""

    def small_disk(self, path: str, owner: int) -> None:
        """Not for containers: a database that cannot `fill` is never asked for one."""

    async def reach(self) -> list[Link]:
        """Who reaches which broker's inner listener. Nodes that cannot try (dead or paused) are left out."""
        brokers = {e.spec.name: e.address for e in self.entries.values() if e.spec.role == "broker"}
        sources = [e for e in self.entries.values() if e.spec.role != "database" and e.running and not e.paused]
        found = await asyncio.gather(
            *(self._threads.do(self._reached_by, e, brokers) for e in sources), self._threads.do(_from_host, brokers)
        )
        return [link for links in found for link in links]

    def _reached_by(self, entry: Container, brokers: dict[str, str]) -> list[Link]:
        shell = self._shells.setdefault(entry.id, Shell(self.client, entry.id))
        targets = {name: f"{address}/{INNER_PORT}" for name, address in brokers.items() if name != entry.spec.name}
        reached = shell.reached(targets)
        return [] if reached is None else [Link(entry.spec.name, name, name in reached) for name in targets]

    def names(self, role: str, *, outliving: bool = True) -> list[str]:
        """All of a role; without `outliving` only what ends with its driver."""
        own = [n for n, e in self.entries.items() if e.spec.role == role and (outliving or not e.spec.outlives_driver)]
        return own + self.host.names(role, outliving=outliving)

    def states(self) -> list[NodeState]:
        return [entry.state() for entry in self.entries.values()] + self.host.states()

    def recorded(self) -> list[Recorded]:
        return [record for entry in self.entries.values() for record in entry.recorded()] + self.host.recorded()


def _from_host(brokers: dict[str, str]) -> list[Link]:
    """This host's own attempts, past the published ports: their forwarder accepts for a broker that hears nothing."""
    attempts = {("host", name): reach.begin((address, INNER_PORT)) for name, address in brokers.items()}
    return [Link(source, target, ok) for (source, target), ok in reach.finish(attempts).items()]
