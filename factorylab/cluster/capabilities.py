"""What a lab cannot do is refused here and nowhere else, with what to use instead."""

from __future__ import annotations

from collections.abc import Collection

from factorylab.core.errors import EnvironmentUnfit
from factorylab.scenarios.fault_catalog import FAULT_KINDS, KindName


def require(wanted: Collection[KindName], possible: Collection[KindName], who: str) -> None:
    """Refuse what `who`, for whom only `possible` can be done, cannot do.

    Raises:
        EnvironmentUnfit: naming the first of `wanted` that is not possible, and the way out.
    """
    for kind in sorted(set(wanted) - set(possible)):
        reason = FAULT_KINDS[kind].instead or f"it can {', '.join(sorted(possible))}"
        raise EnvironmentUnfit(f"{who} cannot {kind}: {reason}")
