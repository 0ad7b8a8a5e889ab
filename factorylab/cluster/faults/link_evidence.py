"""The reachability matrix as evidence: a cut must break its own links, and no others.

What a node under another fault reaches says nothing: a dead or paused one answers nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from factorylab.cluster.base import Link
from factorylab.scenarios.model import Fault


@dataclass(frozen=True)
class Held:
    """A fault that is held now, and the nodes that it was injected on."""

    fault: Fault
    nodes: tuple[str, ...]

    def breaks(self, link: Link) -> bool:
        return any(self.fault.breaks(node, link.source, link.target) for node in self.nodes)


def broken(links: Sequence[Link]) -> str:
    """The broken links in words."""
    return ", ".join(_word(link) for link in links if not link.ok) or "none"


def surprises(links: Sequence[Link], held: Collection[Held]) -> list[str]:
    """What is not as the faults that are held should have it; one word a link."""
    down = {node for h in held if not (h.fault.on_network or h.fault.by_request) for node in h.nodes}
    judged = [link for link in links if not {link.source, link.target} & down]
    return [
        f"{_word(link)} is {'open' if link.ok else 'broken'}"
        for link in judged
        if link.ok == any(h.breaks(link) for h in held)
    ]


def _word(link: Link) -> str:
    return f"{link.source}→{link.target}"
