"""The nodes of a lab on Docker, with the same methods as `Children`: containers, and the probe as a child process.

- Brokers, database and the standing factory are services of compose.yaml; the workers of a run are containers of the
  application image in their network. All carry the project's label, by which the end of the lab removes them.
- Whether a node lives is the kernel's word on its process on this host; the engine is asked for exit codes only.
- A partition is a packet filter inside the node's own network, set by a helper container that shares that network and
  has the one capability for it. A disconnected node comes back with its names and its address.
- Calls to the engine block, so they run in threads, each with a deadline.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from factorylab.cluster.base import INFRASTRUCTURE, Cut, Link
from factorylab.cluster.control import Child, Door, Inject, NodeState, Recorded, Start
from factorylab.cluster.docker import engine, projects
from factorylab.cluster.docker.attempts import Shell
from factorylab.cluster.docker.container import Container
from factorylab.cluster.docker.creation import LOCKED_DOWN, PLAN, Composing, Plan, create_worker
from factorylab.cluster.network import reach
from factorylab.cluster.network.cuts import drops, iptables_rules
from factorylab.cluster.supervisor.processes import KILLED_S, TICK_S, Children, refusing
from factorylab.cluster.supervisor.undo import Undo, UndoRecords
from factorylab.core.errors import EnvironmentUnfit, LabError, StartFailed, UsageError
from factorylab.core.files import last_lines, read_json

P = ParamSpec("P")
T = TypeVar("T")
AGAIN_S = 1.0  # a process that is only beginning may miss a signal to end: it is sent again
TOLD_S = 10.0
FINISHED_S = 15.0
INNER_PORT = 9092
ON_THIS_HOST = "probe"  # it looks from outside, and at processes of this host
FILTER = 'printf "%s" "$RULES" | iptables-restore'  # the nftables form: the legacy one needs NET_RAW as well


class Containers:
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
        self._threads = ThreadPoolExecutor(engine.POOL)
        self._breaking, self._starting = asyncio.Lock(), asyncio.Lock()  # breaking and healing take turns
        self._composing = Composing(plan, self.home)
        self._shells: dict[str, Shell] = {}

    async def _do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A blocking call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))

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
        found = await self._do(projects.containers, self.client, self.plan.project)
        lacking = [spec.name for spec in services if spec.name not in found]
        if lacking:
            raise StartFailed(f"compose did not start {', '.join(lacking)}:\n{said}{engine.room_if_full(said)}")
        for spec in services:
            self.entries[spec.name] = Container(self.client, spec, found[spec.name], self.plan.network)
        await asyncio.gather(*(self._do(self.entries[spec.name].follow) for spec in services))

    async def _create(self, spec: Child) -> None:
        """A worker's container in the place of the one before."""
        if old := self.entries.pop(spec.name, None):
            await self._do(old.remove)
        hosts = {e.spec.name: e.address for e in self.entries.values() if e.spec.role in INFRASTRUCTURE}
        self.entries[spec.name] = await self._do(create_worker, self.client, self.plan, spec, hosts)
        await self._do(self.entries[spec.name].start)

    async def _watch(self, entry: Container, watch_s: float) -> None:
        if watch_s and await gone(entry, watch_s):
            await self._do(entry.told, TOLD_S)
            raise StartFailed(
                f"{entry.spec.name} ended at once with exit code {entry.exit_code}; its last lines:\n"
                + last_lines(Path(entry.spec.log))
            )

    # -- ending

    async def stop(self, names: Iterable[str], at_most_s: float | None = None) -> dict[str, int | None]:
        """The exit code of each; None for what had to be killed or never was."""
        names = list(names)
        entries = {name: self.entries[name] for name in names if name in self.entries}
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
            await self._do(entry.signal, entry.spec.stop_signal)
            await self._do(entry.unpause)
            await gone(entry, min(left, AGAIN_S))
        in_time = not entry.running
        if not in_time:
            await self._do(entry.signal, signal.SIGKILL)
            await gone(entry, KILLED_S)
        await self._do(entry.told, TOLD_S)
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
        await self._do(projects.remove, self.client, self.plan.project)
        (self.home / PLAN).unlink(missing_ok=True)

    # -- faults

    async def inject(self, request: Inject) -> None:
        """Break a node. Where the driver dies meanwhile, its healing waits until this is done."""
        async with self._breaking:
            await self._inject(request)

    async def _inject(self, request: Inject) -> None:
        entry = self.entries.get(request.node)
        if entry is None:
            raise UsageError(f"no node {request.node!r}; there are: {', '.join(sorted(self.entries))}")
        if not entry.running:
            raise LabError(f"{request.node} is dead already: {request.action} needs a running target; heal first")
        pid = entry.process.pid if entry.process else 0
        self.undo.add(Undo(request.fault, request.node, request.action, pid, request.cut))
        match request.action:
            case "kill":
                await self._do(entry.signal, signal.SIGKILL)
            case "terminate":
                await self._do(entry.signal, entry.spec.stop_signal)
            case "pause":
                await self._do(entry.pause)
            case "partition":
                await self._do(self._filter, entry, self.undo.find(node=request.node))
            case "disconnect":
                await self._do(entry.disconnect)
            case "refuse":
                await refusing(self.home, "shut")

    def _filter(self, entry: Container, records: Sequence[Undo]) -> None:
        """Make the packet filter of a node what these faults want together; none of them clears it."""
        others = [e.address for e in self.entries.values() if e.spec.role == "broker" and e is not entry]
        rules = iptables_rules(drops([r.cut or Cut() for r in records if r.action == "partition"], others))
        with engine.asking(f"the packet filter of {entry.spec.name}"):
            helper = self.client.containers.create(
                self.plan.netfault_image, entrypoint=["/bin/sh", "-c", FILTER], environment={"RULES": rules},
                network_mode=f"container:{entry.id}", cap_add=["NET_ADMIN"], user="0:0", tmpfs={"/run": "size=1m"},
                labels=self.plan.labels("netfault"), **LOCKED_DOWN,
            )  # fmt: skip
            try:
                helper.start()
                code = helper.wait(timeout=engine.ANSWER_S)["StatusCode"]  # run() would wait for ever
                said = helper.logs().decode(errors="replace").strip()
            finally:
                helper.remove(force=True)
        if code:
            raise LabError(f"the packet filter of {entry.spec.name} was not set (exit code {code}): {said}")

    async def heal(self, fault: int | None) -> list[str]:
        """Resume, lift cuts, reconnect, start: the targets of a fault; for None all brokers and the database too."""
        async with self._breaking:
            records = self.undo.find(fault)
            hurt = [record.node for record in records]
            if fault is None:
                hurt += [name for name, e in self.entries.items() if e.spec.role in INFRASTRUCTURE or e.paused]
            nodes = [self.entries[name] for name in dict.fromkeys(hurt) if name in self.entries]
            done = await asyncio.gather(*(self._heal(entry, records) for entry in nodes), return_exceptions=True)
            failed = {e.spec.name: error for e, error in zip(nodes, done, strict=True) if isinstance(error, Exception)}
            for record in records:
                if record.node not in failed:
                    self.undo.remove(record)
            for error in failed.values():
                raise error
            return [text for texts in done if not isinstance(texts, BaseException) for text in texts]

    async def _heal(self, entry: Container, records: Sequence[Undo]) -> list[str]:
        """One node, in an order that works whatever was done to it; what was done."""
        name = entry.spec.name
        own = {record.action for record in records if record.node == name}
        others = [record for record in self.undo.find(node=name) if record not in records]
        done = []
        if entry.paused:
            await self._do(entry.unpause)
            done.append(f"resumed {name}")
        if "partition" in own and entry.running:
            await self._do(self._filter, entry, others)
            done.append(f"lifted the cut of {name}")
        if not any(r.action == "disconnect" for r in others) and await self._do(entry.reconnect):
            done.append(f"reconnected {name}")
        if own & {"kill", "terminate"} and not await gone(entry, entry.spec.stop_s):
            await self._do(entry.signal, signal.SIGKILL)
            await gone(entry, KILLED_S)
        if not entry.running and not self.closed:
            await self._do(entry.start)
            self._changed()
            if any(r.action == "partition" for r in others):  # its network is a new one: without the cut that holds
                await self._do(self._filter, entry, others)
            done.append(f"started {name}")
        if "refuse" in own and not self.closed:
            await refusing(self.home, "lift")
            done.append("lifted the refusal of connections")
        return done

    # -- looking

    def isolate(self, doors: Sequence[Door]) -> None:
        """Containers have networks of their own."""

    def small_disk(self, path: str, owner: int) -> None:
        """Not for containers: a database that cannot `fill` is never asked for one."""

    async def reach(self) -> list[Link]:
        """Who reaches which broker's inner listener. Nodes that cannot try (dead or paused) are left out."""
        brokers = {e.spec.name: e.address for e in self.entries.values() if e.spec.role == "broker"}
        sources = [e for e in self.entries.values() if e.spec.role != "database" and e.running and not e.paused]
        found = await asyncio.gather(
            *(self._do(self._reached_by, e, brokers) for e in sources), self._do(_from_host, brokers)
        )
        return [link for links in found for link in links]

    def _reached_by(self, entry: Container, brokers: dict[str, str]) -> list[Link]:
        shell = self._shells.setdefault(entry.id, Shell(self.client, entry.id))
        targets = {name: f"{address}/{INNER_PORT}" for name, address in brokers.items() if name != entry.spec.name}
        reached = shell.reached(targets)
        return [] if reached is None else [Link(entry.spec.name, name, name in reached) for name in targets]

    def names(self, role: str, *, standing: bool = True) -> list[str]:
        """All of a role; without `standing` only what goes with its driver."""
        own = [n for n, e in self.entries.items() if e.spec.role == role and (standing or not e.spec.standing)]
        return own + self.host.names(role, standing=standing)

    def states(self) -> list[NodeState]:
        return [entry.state() for entry in self.entries.values()] + self.host.states()

    def recorded(self) -> list[Recorded]:
        return [record for entry in self.entries.values() for record in entry.recorded()] + self.host.recorded()


def _from_host(brokers: dict[str, str]) -> list[Link]:
    """This host's own attempts, past the published ports: their forwarder accepts for a broker that hears nothing."""
    attempts = {("host", name): reach.begin((address, INNER_PORT)) for name, address in brokers.items()}
    return [Link(source, target, ok) for (source, target), ok in reach.finish(attempts).items()]


async def gone(entry: Container, within_s: float) -> bool:
    """Wait for a container's end, at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while entry.running and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
    return not entry.running
