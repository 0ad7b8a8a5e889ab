"""What a lab cannot do is refused here and nowhere else, with what to use instead."""

from __future__ import annotations

from collections.abc import Collection

from factorylab.cluster.backend_registry import BACKENDS, BackendName
from factorylab.core.errors import EnvironmentUnfit
from factorylab.scenarios.fault_catalog import FAULT_KINDS, KindName
from factorylab.scenarios.model import Fault

OF_OWN_TOPIC = ("leader", "follower", "followers", "broker")
"""Roles of brokers that the run's own topic tells, or a number."""


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
        EnvironmentUnfit: a fault's target belongs to another, or is not seen there, or the lab is not for runs alone;
            with the way out.
    """
    known = BACKENDS[backend]
    if known.runs_alone and not of_run:
        raise EnvironmentUnfit(
            f"the backend {backend} is for runs alone, 'factorylab run' without --keep, and 'factorylab batch': take "
            "--backend local"
        )
    for fault in faults:
        seen = fault.aim.role in OF_OWN_TOPIC and not fault.aim.also
        if fault.by_request and fault.hits not in known.breaks and not seen:
            raise EnvironmentUnfit(
                f"the backend {backend} cannot {fault.kind} {fault.target}: who controls or coordinates is nobody's "
                "business on brokers that are not the lab's own. Take target=leader:P, follower:P or broker:N"
            )
        if fault.hits not in known.breaks and not fault.by_request:
            raise EnvironmentUnfit(
                f"the backend {backend} cannot {fault.kind} {fault.target}: brokers that are not the lab's own are "
                f"never broken. Take target=processor:N, owner:P or database, kind=demote, or --backend local"
            )
