"""The network of an isolated lab: a bridge in a network of its own, and each node behind a wire to it.

    this host          127.0.1.N:port  ──(forward)──►  hub 10.77.0.254: bridge, PostgreSQL
                                                         ├── broker-1     10.77.0.1
                                                         ├── broker-2     10.77.0.2
                                                         ├── broker-3     10.77.0.3
                                                         ├── processor-0  10.77.0.11   in order of their first start
                                                         └── …

- A node is cut by the packet filter inside its own network, so a partition is what it is elsewhere: silence.
- Clients of this host come in through the hub, which is nobody's peer: a cut "from brokers" leaves them their way in,
  one from everybody swallows what they send. The host itself has no address in there, and no node has one outside.
- All of it dies with the supervisor and its children (see `netns`). What is run here takes milliseconds, so it may
  block the supervisor's loop.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from factorylab.cluster.base import Cut, Link, Role
from factorylab.cluster.control import ForwardedPort
from factorylab.cluster.network import netns
from factorylab.cluster.network.addresses import HUB, inner_address
from factorylab.cluster.network.child_start import Beginning
from factorylab.cluster.network.cuts import FILTERS, Filter, drops, find_program
from factorylab.cluster.network.matrix import Matrix
from factorylab.cluster.network.port_forwarding import forward_ports
from factorylab.cluster.places import INNER_PORT
from factorylab.core.errors import EnvironmentUnfit, UsageError

BRIDGE = "hub"
HOST = "host"
FIRST_WORKER = 11
TOOL_S = 10


def trouble() -> str:
    """Why this machine cannot run an isolated lab, with the way out; empty where it can. Leaves nothing behind."""
    try:
        with tempfile.TemporaryDirectory(prefix="factorylab-") as logs, closing(Network(Path(logs))) as network:
            network.node("broker-1")
            network.cut("broker-1", [Cut("everybody")])
    except EnvironmentUnfit as error:
        return str(error)
    return ""


class Network:
    """Bridge, wires, forwarded ports and cuts of one lab, which keeps `network.log` in the folder `logs`.

    Raises:
        EnvironmentUnfit: this machine cannot do it, with the way out.
    """

    def __init__(self, logs: Path) -> None:
        self._ip = find_program("ip")
        if self._ip is None:
            raise EnvironmentUnfit("no program 'ip': install iproute2")
        self.hub = netns.make()
        self.addresses: dict[str, str] = {}
        self._nodes: dict[str, netns.Namespace] = {}
        self._cuts: dict[str, tuple[Cut, ...]] = {}
        self._log = logs / "network.log"
        self._forwarder: subprocess.Popen[bytes] | None = None
        self._matrix = Matrix(self._log)
        try:
            self._configure(self.hub, "link set lo up", f"link add {BRIDGE} type bridge",
                            f"addr add {HUB}/24 dev {BRIDGE}", f"link set {BRIDGE} up")  # fmt: skip
            self._filter = self._usable_filter()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the helpers and give up the namespaces, which go as soon as nobody is in them."""
        self._matrix.end()
        if self._forwarder:
            self._forwarder.kill()
            self._forwarder.wait()
        for place in (self.hub, *self._nodes.values()):
            place.close()

    def place(self, name: str, role: Role) -> netns.Namespace | None:
        """Where a process belongs: brokers and workers at home, the database in the hub, the probe on this host."""
        if role == "probe":
            return None
        return self.hub if role == "database" else self.node(name)

    def node(self, name: str) -> netns.Namespace:
        """The network of a node, made when it is first asked for."""
        if name in self._nodes:
            return self._nodes[name]
        role, _, which = name.partition("-")
        workers = sum(not known.startswith("broker-") for known in self._nodes)
        number = int(which) if role == "broker" else FIRST_WORKER + workers
        made = self._nodes[name] = netns.make(beside=self.hub)
        wire, self.addresses[name] = f"wire{number}", inner_address(number)
        self._configure(
            made, "link set lo up", f"link add eth0 type veth peer name {wire} netns /proc/self/fd/{self.hub.net}",
            "link set eth0 addrgenmode none",  # no IPv6, so that the filter need not know of it
            f"addr add {self.addresses[name]}/24 dev eth0", "link set eth0 up",
        )  # fmt: skip
        self._configure(self.hub, f"link set {wire} master {BRIDGE}", f"link set {wire} up")
        return made

    # -- cuts

    def check(self, name: str) -> None:
        """Raises UsageError where `name` is no node with a network of its own, which alone can be cut."""
        if name not in self._nodes:
            raise UsageError(f"{name} has no network of its own: cut one of {', '.join(sorted(self._nodes))}")

    def cut(self, name: str, cuts: Iterable[Cut]) -> bool:
        """From now on exactly `cuts` hold at a node, none to heal it; false where that was so before.

        Raises:
            EnvironmentUnfit: the packet filter failed.
        """
        wanted = tuple(cuts)
        if wanted == self._cuts.get(name, ()):
            return False
        peers = [address for known, address in self._brokers() if known != name]
        text = self._filter.rules(drops(wanted, peers))
        self._run(self._nodes[name], self._filter.command, text)
        self._cuts[name] = wanted
        return True

    def cut_nodes(self) -> list[str]:
        """The nodes at which something is dropped now."""
        return [name for name, cuts in self._cuts.items() if cuts]

    def _usable_filter(self) -> Filter:
        """The first packet filter that does something in here."""
        troubles = []
        for candidate in FILTERS:
            program = find_program(candidate.command[0])
            try:
                if program:
                    self._run(self.hub, (program, *candidate.command[1:]), candidate.rules([]))
                    return Filter((program, *candidate.command[1:]), candidate.rules)
            except EnvironmentUnfit as error:
                troubles.append(str(error))
        raise EnvironmentUnfit("; ".join(troubles) or "no packet filter: install nftables or iptables")

    # -- who reaches whom

    async def reach(self, running: Sequence[str]) -> list[Link]:
        """From each of `running` that has a network here, and from this host's side, to every broker.

        Raises:
            LabError: it cannot be told.
        """
        networks = {HOST: self.hub, **self._nodes}
        targets = {name: (address, INNER_PORT) for name, address in self._brokers()}
        sources = [name for name in (*running, HOST) if name in networks]
        links = await self._matrix.ask(sources, networks, targets)
        forwarding = self._forwarder is not None and self._forwarder.poll() is None
        return [link if link.source != HOST or forwarding else Link(HOST, link.target, False) for link in links]

    def _brokers(self) -> list[tuple[str, str]]:
        return sorted((name, address) for name, address in self.addresses.items() if name.startswith("broker-"))

    # -- forwarded ports

    def forward_ports(self, ports: Sequence[ForwardedPort]) -> None:
        """Let programs of this host in.

        Raises:
            PortTaken: somebody else listens there.
        """
        self._forwarder = forward_ports(ports, self.hub, self._log)

    # -- tools

    def _configure(self, place: netns.Namespace, *lines: str) -> None:
        assert self._ip
        self._run(place, (self._ip, "-batch", "-"), "\n".join(lines) + "\n")

    def _run(self, place: netns.Namespace, command: Sequence[str], text: str) -> None:
        """Run a tool in there that reads `text`."""
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TOOL_S, check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "XTABLES_LOCKFILE": str(self._log.with_name("xtables"))},
            pass_fds=(self.hub.net,), preexec_fn=Beginning(os.getpid(), place, capable=True),
        )  # fmt: skip
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split())
            raise EnvironmentUnfit(f"{' '.join(command)} failed ({said}): {netns.way_out()}")
