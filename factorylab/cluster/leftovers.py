"""What a dead supervisor left behind, and the guard that ends it; what there may be is known to the lab's backend."""

from __future__ import annotations

import os
import pkgutil
import signal
from pathlib import Path
from typing import Protocol, cast

from factorylab.cluster import control
from factorylab.cluster.backend_registry import BACKENDS
from factorylab.core.errors import LabError
from factorylab.core.waiting import wait_until

DYING_S = 60.0


class Leftovers(Protocol):
    """What a dead supervisor left of the lab that is in `home` when this is made: one class a backend."""

    def __init__(self, home: Path) -> None: ...

    def marked(self) -> bool:
        """Does the lab's folder say that there may be nodes that outlive their supervisor?"""

    def clear(self) -> list[str]:
        """End all that is left; the names of what was ended.

        Raises:
            EnvironmentUnfit: nodes may be left, and what they run on does not answer.
        """

    def end_outliving(self) -> list[str]:
        """The guard's part, as soon as the supervisor is gone: end what does not die with it, unless the lab had ended
        in order. A later lab in the same folder is none of its business."""


def clear(home: Path) -> list[str]:
    """End all that is left of the lab of `home`, whose supervisor is dead; the names of what was ended.

    Raises:
        EnvironmentUnfit: nodes may be left, and what they run on does not answer.
    """
    return _of(home).clear()


def left(home: Path) -> bool:
    """May there be nodes of a lab whose supervisor is gone?"""
    return _of(home).marked() and control.living_state(home) is None


def _of(home: Path) -> Leftovers:
    """Those of the backend whose mark is in the folder; without one, those of processes, which need none."""
    found = {
        name: cast("type[Leftovers]", pkgutil.resolve_name(backend.leftovers))(home)
        for name, backend in BACKENDS.items()
    }
    return next((one for one in found.values() if one.marked()), found["local"])


def guard(home: Path) -> None:
    """Leave a process behind that clears up as soon as this one is gone without having done so: killed, out of memory,
    or left alone by the engine. Containers would stay, paused and cut as they were, and so would what a database that
    was stopped had begun."""
    leftovers, supervisor = _of(home), os.getpid()
    reader, writer = os.pipe()
    if os.fork():
        os.close(reader)  # the writer closes when this process ends, whatever ends it
        return
    os.close(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.read(reader, 1)
    try:
        # A process closes its files before it is gone: who looks in between finds a lab that lives.
        wait_until(
            lambda: os.getppid() != supervisor or not (home / control.STATE).exists(),  # it ended in order
            what="the supervisor's end", timeout_s=DYING_S,
        )  # fmt: skip
        if ended := leftovers.end_outliving():
            print(f"the supervisor is gone; ended what it left: {', '.join(ended)}", flush=True)
    except (LabError, OSError) as error:
        print(f"the supervisor is gone, and not all that it left could be ended: {error}", flush=True)
    os._exit(0)
