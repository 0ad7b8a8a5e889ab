"""What a lab cannot do is refused here and nowhere else, with what to use instead."""

from __future__ import annotations

from collections.abc import Collection

from factorylab.cluster.backend_registry import BACKENDS, BackendName
from factorylab.core.errors import EnvironmentUnfit
from factorylab.scenarios.fault_catalog import FAULT_KINDS, KindName
from factorylab.scenarios.model import Fault


def require(wanted: Collection[KindName], possible: Collection[KindName], who: str) -> None:
    """Refuse what `who`, for whom only `possible` can be done, cannot do.

    Raises:
        EnvironmentUnfit: naming the first of `wanted` that is not possible, and the way out.
    """
    for kind in sorted(set(wanted) - set(possible)):
        reason = FAULT_KINDS[kind].instead or f"it can {', '.join(sorted(possible))}"
        raise EnvironmentUnfit(f"{who} cannot {kind}: {reason}")


def require_own(backend: BackendName, faults: Collection[Fault], *, of_run: bool) -> None:
    """Refuse what nobody may do to brokers of somebody else.

    Raises:
        EnvironmentUnfit: a fault's target belongs to another, or the lab is for no single run; with the way out.
    """
    known = BACKENDS[backend]
    if known.runs_alone and not of_run:
        raise EnvironmentUnfit(
            f"the backend {backend} is for single runs alone, 'factorylab run' without --keep and --repeat: take "
            "--backend local"
        )
    for fault in faults:
        if fault.hits not in known.breaks:
            raise EnvironmentUnfit(
                f"the backend {backend} cannot {fault.kind} {fault.target}: brokers that are not the lab's own are "
                "never broken. Take target=processor:N, owner:P or database, or --backend local"
            )
