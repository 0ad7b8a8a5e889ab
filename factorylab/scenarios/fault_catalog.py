"""All kinds of fault: what `factorylab.scenarios.faults` declares, one in a file, and what is the same for many."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

from factorylab.scenarios import faults as package
from factorylab.scenarios.faults.kind import TARGET_ROLES, FaultKind, LinksBreak, Need

_FOUND: list[FaultKind] = [
    import_module(f"{package.__name__}.{module.name}").KIND
    for module in pkgutil.iter_modules(package.__path__)
    if module.name != "kind"
]
FAULT_KINDS: dict[str, FaultKind] = {kind.name: kind for kind in _FOUND}

ON_NETWORK = tuple(name for name, kind in FAULT_KINDS.items() if isinstance(kind.evidence, LinksBreak))
ON_PROCESS = tuple(name for name, kind in FAULT_KINDS.items() if kind.roles == TARGET_ROLES and name not in ON_NETWORK)
ON_DATABASE = tuple(name for name, kind in FAULT_KINDS.items() if "database" in kind.roles and name not in ON_NETWORK)
EVERYWHERE: tuple[Need, ...] = ("processes", "leaderships")
ENDING = tuple(name for name, kind in FAULT_KINDS.items() if kind.ends_process)
BY_REQUEST = tuple(name for name, kind in FAULT_KINDS.items() if kind.by_request)

if TYPE_CHECKING:  # a type checker knows no set of words that is made when the program runs
    KindName: TypeAlias = str
    ProcessKind: TypeAlias = str
    NetworkKind: TypeAlias = str
    DatabaseKind: TypeAlias = str
else:
    KindName, NetworkKind = Literal[tuple(FAULT_KINDS)], Literal[ON_NETWORK]
    ProcessKind, DatabaseKind = Literal[ON_PROCESS], Literal[ON_DATABASE]


def possible(offers: Collection[Need]) -> tuple[str, ...]:
    """The kinds of fault that a lab can do that has `offers` besides what all have."""
    return tuple(name for name, kind in FAULT_KINDS.items() if kind.needs in {*EVERYWHERE, *offers})


def effects(names: Collection[str]) -> str:
    """What each of these kinds does, for a help text."""
    return "; ".join(f"{name}: {FAULT_KINDS[name].effect}" for name in names)
