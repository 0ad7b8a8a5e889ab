"""A network partition as rules of the packet filter inside the victim's own network namespace.

What is dropped is said whole each time (the cuts that hold now, none to heal), and the filter replaces its rules at
once: so it is idempotent, and two faults on one node do not undo each other. Loopback is never cut. A TCP connection
needs both ways, so a one-way cut stops it as well: what differs is which side's packets still arrive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from factorylab.cluster.base import Cut

SYSTEM_FOLDERS = "/usr/sbin:/sbin"  # not in the PATH of an ordinary user everywhere


@dataclass(frozen=True, order=True)
class Drop:
    """Packets on their way `chain` (input or output) from or to `peer`; None is whoever is not loopback."""

    chain: str
    peer: str | None


def drops(cuts: Iterable[Cut], brokers: Sequence[str]) -> list[Drop]:
    """What all `cuts` of a node drop together; `brokers` are the addresses of the other brokers."""
    found = set()
    for cut in cuts:
        chains = {"both": ("input", "output"), "in": ("input",), "out": ("output",)}[cut.direction]
        peers: Sequence[str | None] = brokers if cut.away_from == "brokers" else (None,)
        found |= {Drop(chain, peer) for chain in chains for peer in peers}
    return sorted(found, key=lambda drop: (drop.chain, drop.peer or ""))


def nft_rules(wanted: Sequence[Drop]) -> str:
    """A script of `nft -f -`: our table, whatever was in it before."""
    lines = ["table inet factorylab", "delete table inet factorylab", "table inet factorylab {"]
    for chain, interface, address in (("input", "iifname", "saddr"), ("output", "oifname", "daddr")):
        lines.append(f"chain {chain} {{ type filter hook {chain} priority 0;")
        found = [drop.peer for drop in wanted if drop.chain == chain]
        lines += [f"ip {address} {peer} drop" if peer else f'{interface} != "lo" drop' for peer in found]
        lines.append("}")
    return "\n".join([*lines, "}", ""])


def iptables_rules(wanted: Sequence[Drop]) -> str:
    """Input of `iptables-restore`: the whole table `filter`."""
    lines = ["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT"]
    for drop in wanted:
        interface, address = ("-i", "-s") if drop.chain == "input" else ("-o", "-d")
        whom = f"{address} {drop.peer}" if drop.peer else f"! {interface} lo"
        lines.append(f"-A {drop.chain.upper()} {whom} -j DROP")
    return "\n".join([*lines, "COMMIT", ""])


@dataclass(frozen=True)
class Filter:
    """A packet filter's command, which reads from its standard input what `rules` writes."""

    command: tuple[str, ...]
    rules: Callable[[Sequence[Drop]], str]


FILTERS = (
    Filter(("nft", "-f", "-"), nft_rules),
    Filter(("iptables-restore",), iptables_rules),
    Filter(("iptables-legacy-restore",), iptables_rules),
)


def find_program(name: str) -> str | None:
    """The path of a program of the system, also where only root's PATH has it."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)
