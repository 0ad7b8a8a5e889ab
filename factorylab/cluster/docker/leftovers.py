"""What a dead supervisor left of a lab on Docker: its containers, whose plan is there as long as any of them may be."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path

from factorylab.cluster import control
from factorylab.cluster.docker import engine, projects
from factorylab.cluster.docker.creation import PLAN, Plan
from factorylab.cluster.leftovers import Leftovers
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.files import exclusive, read_json

LOCK = "remains.lock"
AGAIN_S = 2.0
PATIENCE_S = 900.0  # how long a guard waits for an engine to come back


class ContainerLeftovers(Leftovers):
    """Containers, and recorded processes beside them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._known = self._made()

    def marked(self) -> bool:
        return (self.home / PLAN).exists()

    def clear(self) -> list[str]:
        with exclusive(self.home / LOCK):  # the guard may be at it
            ended = []
            if plan := read_json(self.home / PLAN, Plan):
                with closing(engine.connect()) as client:
                    ended = projects.remove(client, plan.project)
            (self.home / PLAN).unlink(missing_ok=True)
            return ended + control.remove_remains(self.home)

    def end_outliving(self) -> list[str]:
        """As soon as the engine answers, unless others have done it, or a later lab is there."""
        deadline = time.monotonic() + PATIENCE_S
        while self._abandoned() and time.monotonic() < deadline:
            with suppress(EnvironmentUnfit):  # an engine that does not answer now may do so later
                return self.clear()
            time.sleep(AGAIN_S)
        return []

    def _abandoned(self) -> bool:
        return self.marked() and control.living_state(self.home) is None and self._made() == self._known

    def _made(self) -> int | None:
        """When the plan of the lab was written."""
        try:
            return (self.home / PLAN).stat().st_mtime_ns
        except FileNotFoundError:
            return None
