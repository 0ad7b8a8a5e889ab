"""The backends: this is where one is registered, and from where all others know it.

A backend is a folder with three classes, named here and imported where they are used: Docker's client is loaded only
for a lab on Docker, and a supervisor needs no driver.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from factorylab.cluster.node_owner import NodeOwner
from factorylab.scenarios.fault_catalog import KindName, possible
from factorylab.scenarios.faults.kind import TARGET_ROLES, Need, TargetRole


@dataclass(frozen=True)
class Backend:
    """`owner`, `driver` and `leftovers` are "module:class": a `NodeOwner` in the supervisor, a `Driver` in the driver's
    process, and the `Leftovers` of a supervisor that died.

    `nodes`: what they are, in a word or two. `offers`: what its labs can have. `breaks`: what a fault may hit.
    `runs_alone`: it is for runs, one after the other, and for no lab that stays.
    """

    nodes: str
    owner: str
    driver: str
    leftovers: str
    offers: tuple[Need, ...]
    breaks: tuple[TargetRole, ...] = TARGET_ROLES
    runs_alone: bool = False

    @property
    def can(self) -> tuple[KindName, ...]:
        """The kinds of fault that some lab on it can do."""
        return possible(self.offers)

    def owner_class(self) -> type[NodeOwner]:
        """What starts and ends its nodes."""
        return cast("type[NodeOwner]", pkgutil.resolve_name(self.owner))


BACKENDS: dict[str, Backend] = {
    "local": Backend(
        nodes="processes",
        owner="factorylab.cluster.local.processes:Children",
        driver="factorylab.cluster.local.backend:LocalCluster",
        leftovers="factorylab.cluster.local.leftovers:ProcessLeftovers",
        offers=("network", "small_disk", "versions"),
    ),
    "compose": Backend(
        nodes="containers",
        owner="factorylab.cluster.docker.containers:Containers",
        driver="factorylab.cluster.docker.compose:ComposeCluster",
        leftovers="factorylab.cluster.docker.leftovers:ContainerLeftovers",
        offers=("network", "switch"),
    ),
    "external": Backend(
        nodes="brokers of yours, with workers and PostgreSQL as processes",
        owner="factorylab.cluster.external.owner:ExternalNodes",
        driver="factorylab.cluster.external.backend:ExternalCluster",
        leftovers="factorylab.cluster.external.owner:ExternalLeftovers",
        offers=(),
        breaks=("processor", "database"),
        runs_alone=True,
    ),
}

if TYPE_CHECKING:  # a type checker knows no set of words that is made when the program runs
    BackendName: TypeAlias = str
    BackendChoice: TypeAlias = str
else:
    BackendName = Literal[tuple(BACKENDS)]
    BackendChoice = Literal[("auto", *BACKENDS)]
