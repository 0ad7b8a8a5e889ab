"""Ctrl-C: first everything is healed and stopped, then it is said.

A driver that vanishes lets go of the lab's lease, and the supervisor does the rest (`cluster.supervisor`). Whoever
takes the lease after it and gives it back knows that this is done: while it is not, the lease is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.waiting import wait_until

SETTLED_S = 90.0  # an orderly end of everything takes a few seconds


class Interrupted(KeyboardInterrupt):
    """Somebody stopped a cell, and the lab is settled. A notebook shows the sentence alone: where a run was just then
    says nothing to whoever stopped it."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def in_one_sentence(home: Path) -> Iterator[None]:
    """What is stopped in this context, by a notebook's stop button or Ctrl-C, ends with how the lab is left.

    Raises:
        Interrupted: it was stopped. What its frames held, a lease among it, was let go before.
    """
    try:
        yield
    except KeyboardInterrupt:
        pass
    else:
        return
    raise Interrupted(f"interrupted; {settled(home)}")


def settled(home: Path) -> str:
    """How the lab is left; whoever is in a hurry is told who goes on."""
    try:
        return settle(home)
    except KeyboardInterrupt:
        return "the lab's supervisor goes on healing and stopping it: 'factorylab status' shows the progress"


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
