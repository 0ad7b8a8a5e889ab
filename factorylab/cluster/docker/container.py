"""One container of a lab: its process on this host, its log, its place in the network.

Methods that talk to the engine block until it has answered, at most `engine.ANSWER_S`: call them in a thread.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import psutil

from factorylab.cluster import control
from factorylab.cluster.control import Child, NodeState, Recorded
from factorylab.cluster.docker import engine

if TYPE_CHECKING:
    from docker import DockerClient

SHELL_SIGNAL = 128  # the engine tells of a death by signal n as 128 + n
FREEZE_TRIES = 5
CODE_S = 10  # for the engine to notice what the kernel shows already


class Container:
    """A container that is or was. `process` is its main process, as this host's kernel knows it; None: it never ran."""

    def __init__(self, client: DockerClient, spec: Child, container_id: str, network: str) -> None:
        self.client, self.spec, self.id = client, spec, container_id
        self.process: psutil.Process | None = None
        self.exit_code: int | None = None
        self._created = 0.0
        self._network = network
        self._aliases: list[str] = []
        self._address: str | None = None
        self._ended = Event()  # nothing of it is followed
        self._ended.set()

    @property
    def running(self) -> bool:
        process = self.process  # is_running() tells it from a later one with the same number
        return process is not None and process.is_running() and control.process_status(process) != "dead"

    @property
    def paused(self) -> bool:
        return self.running and control.process_status(self.process) == "paused"

    @property
    def address(self) -> str:
        """Its address in the lab's network, also while it is disconnected."""
        return self._address or ""

    def state(self) -> NodeState:
        pid = self.process.pid if self.process and self.running else None
        return NodeState(
            self.spec.name, self.spec.role, pid, None if pid else self.exit_code, self.spec.log, self.address
        )

    def recorded(self) -> list[Recorded]:
        """Its latest process, dead or alive, as the state file has it."""
        return [Recorded(self.spec.name, self.process.pid, self._created)] if self.process else []

    def start(self) -> None:
        """Start it again, once the engine has noticed its end."""
        self.told(CODE_S)
        since_s = time.time()
        with engine.asking(f"starting {self.spec.name}"):
            self.client.api.start(self.id)
        self.follow(since_s)

    def follow(self, since_s: float | None = None) -> None:
        """Learn the running container's process and network, and copy what it says from now on into its log."""
        with engine.asking(f"looking at {self.spec.name}"):
            seen = self.client.api.inspect_container(self.id)
        attached = seen["NetworkSettings"]["Networks"].get(self._network)
        if attached:
            self._aliases = attached["Aliases"] or []
            self._address = attached["IPAddress"] or self._address
        self.exit_code = None
        self._ended = Event()
        try:
            self.process = psutil.Process(seen["State"]["Pid"] or -1)
            self._created = self.process.create_time()
        except (psutil.NoSuchProcess, ValueError):  # it ended at once
            self.process = None
        Thread(target=self._copy_log, args=(self._ended, since_s), daemon=True, name=f"log of {self.spec.name}").start()

    def _copy_log(self, ended: Event, since_s: float | None) -> None:
        """Until it ends; then its exit code is known."""
        try:
            with engine.asking("log"), Path(self.spec.log).open("ab", buffering=0) as log:
                for piece in self.client.api.logs(self.id, stream=True, follow=True, since=since_s):
                    log.write(piece)
            self._learn_code()
        except Exception as error:  # a thread: the supervisor's log has it, and the node goes on
            print(f"the log of {self.spec.name} is no longer followed: {error}", flush=True)
        finally:
            ended.set()

    def _learn_code(self) -> None:
        with engine.asking(f"waiting for {self.spec.name}"):
            code = int(self.client.api.wait(self.id, timeout=CODE_S)["StatusCode"])
        self.exit_code = SHELL_SIGNAL - code if code > SHELL_SIGNAL else code

    def told(self, within_s: float) -> bool:
        """Wait until its end is known with its exit code, and its log is whole."""
        return self._ended.wait(within_s)

    def signal(self, number: int) -> None:
        """Send a signal to its main process; what is dead takes none."""
        from docker.errors import APIError

        with engine.asking(f"signal {signal.Signals(number).name} to {self.spec.name}"):
            try:
                self.client.api.kill(self.id, number)
            except APIError:
                if self.running:
                    raise

    def pause(self) -> None:
        """Freeze it. The kernel may fail to while processes begin in it (health checks do): that is tried again."""
        from docker.errors import APIError

        with engine.asking(f"pausing {self.spec.name}"):
            for left in reversed(range(FREEZE_TRIES)):
                try:
                    if not self.paused:
                        self.client.api.pause(self.id)
                    return
                except APIError as error:
                    if not left or "freeze" not in str(error):
                        raise

    def unpause(self) -> None:
        if self.paused:
            with engine.asking(f"unpausing {self.spec.name}"):
                self.client.api.unpause(self.id)

    @property
    def connected(self) -> bool:
        with engine.asking(f"looking at {self.spec.name}"):
            return self._network in self.client.api.inspect_container(self.id)["NetworkSettings"]["Networks"]

    def disconnect(self) -> None:
        if self.connected:
            with engine.asking(f"disconnecting {self.spec.name}"):
                self.client.api.disconnect_container_from_network(self.id, self._network)

    def reconnect(self) -> bool:
        """Back into the network under the same names and address; False where it is in it."""
        if self.connected:
            return False
        with engine.asking(f"reconnecting {self.spec.name}"):
            self.client.api.connect_container_to_network(
                self.id, self._network, aliases=self._aliases, ipv4_address=self._address
            )
        return True

    def remove(self) -> None:
        with engine.asking(f"removing {self.spec.name}"):
            self.client.api.remove_container(self.id, force=True, v=True)
