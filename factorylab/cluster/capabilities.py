"""What a lab cannot do is refused here and nowhere else, with what to use instead."""

from __future__ import annotations

from collections.abc import Collection

from factorylab.cluster.base import Action
from factorylab.core.errors import EnvironmentUnfit

OF_PROCESSES: tuple[Action, ...] = ("kill", "terminate", "pause", "refuse")  # what any lab can do to its nodes
INSTEAD: dict[Action, str] = {
    "partition": "its nodes share this host's network: 'factorylab down' ends it, and 'factorylab up --isolated' "
    "starts one whose nodes do not",
    "disconnect": "a lab of processes cannot do that: use a partition from everybody, or --backend compose",
    "fill": "its database shares a disk with everybody: 'factorylab down' ends it, and 'factorylab up --backend local "
    "--small-disk' starts one whose tables have a small disk of their own",
}


def require(wanted: Collection[Action], possible: Collection[Action], who: str) -> None:
    """Refuse what `who`, for whom only `possible` can be done, cannot do.

    Raises:
        EnvironmentUnfit: naming the first of `wanted` that is not possible, and the way out.
    """
    for action in sorted(set(wanted) - set(possible)):
        reason = INSTEAD.get(action, f"it can {', '.join(sorted(possible))}")
        raise EnvironmentUnfit(f"{who} cannot {action}: {reason}")
