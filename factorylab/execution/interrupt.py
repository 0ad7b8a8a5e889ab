"""Ctrl-C: first everything is healed and stopped, then it is said.

A driver that vanishes lets go of the lab's lease, and the supervisor does the rest (`cluster.supervisor`). Whoever
takes the lease after it and gives it back knows that this is done: while it is not, the lease is refused.
"""

from __future__ import annotations

from pathlib import Path

from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.waiting import wait_until

SETTLED_S = 90.0  # an orderly end of everything takes a few seconds


def settle(home: Path) -> str:
    """Wait until the lab that an interrupted driver used is healed, and gone or left up; which of it, in words."""
    from factorylab.cluster import control, leftovers, manage

    try:
        wait_until(
            lambda: (
                manage.driver_of(home) is None
                and not leftovers.left(home)
                and (control.living_state(home) is None or _released(home))
            ),
            what=f"the lab in {home} to be healed",
            timeout_s=SETTLED_S,
        )
    except EnvironmentUnfit as error:
        return f"the lab is not healed yet ({error}): 'factorylab down --force' ends it"
    if control.living_state(home):
        return "the lab was healed and left up: 'factorylab down' ends it"
    return "the lab was healed and stopped"


def _released(home: Path) -> bool:
    """Take the lease and give it back: the supervisor heals, and stops the lab unless it is to be kept."""
    from factorylab.cluster import control

    try:
        with control.Line(home, lease=True) as line:
            line.receive()
            line.send(control.Release())
            line.receive()
    except (EnvironmentUnfit, OSError):
        return False  # somebody still holds it, or it is ending
    return True
