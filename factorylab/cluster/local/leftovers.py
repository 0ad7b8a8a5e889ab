"""What a dead supervisor left of a lab of processes: only what did not die with it, as children do on Linux."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from factorylab.cluster import control
from factorylab.cluster.family import end_family, mark_of
from factorylab.cluster.leftovers import Leftovers


class ProcessLeftovers(Leftovers):
    """Recorded processes, those of a database that was paused, and what programs of the user's began."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def marked(self) -> bool:
        """No process is meant to outlive its supervisor."""
        return False

    def clear(self) -> list[str]:
        return control.remove_remains(self.home) + self._end_frozen() + self._end_programs()

    def end_outliving(self) -> list[str]:
        orderly = not (self.home / control.STATE).exists()
        return [] if orderly else self._end_frozen() + self._end_programs()

    def _end_programs(self) -> list[str]:
        """End what programs of the user's began: their children do not die with the supervisor."""
        return [f"process {pid} of a program under test" for pid in end_family(mark_of(self.home))]

    def _end_frozen(self) -> list[str]:
        """End processes of a database that were stopped as their parent was killed: they never noticed."""
        ended = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                stopped = process.status() == psutil.STATUS_STOPPED
                if stopped and Path(process.cwd()).is_relative_to(self.home / "data"):
                    process.kill()
                    ended.append(f"process {process.pid} of a paused database")
        return ended
