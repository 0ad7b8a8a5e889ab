"""Workers that end by themselves: named within a second while the run goes on, with the reason that they gave."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from factorylab.cluster import merged_logs
from factorylab.core.errors import LabError
from factorylab.core.files import last_lines

EVERY_S = 0.4
ASKED = {None, 0, -signal.SIGKILL, -signal.SIGTERM}
"""Exit codes of what lives, has done its work, or was ended by somebody else: faults are told by themselves."""


def last_error(log: Path) -> str:
    """The last error in the end of a worker's log, else its last line."""
    lines = [merged_logs.parse(text, log.stem, None) for text in last_lines(log).splitlines()]
    errors = [line for line in lines if line.level in {"error", "critical"}]
    return (errors or lines)[-1].text.removeprefix("failed error=")


class DeathWatch(Thread):
    """Tells each of the `deaths` once, from a thread of its own, as long as the block lasts."""

    def __init__(self, deaths: Callable[[], list[str]], say: Callable[[str], None]) -> None:
        super().__init__(daemon=True)
        self._deaths, self._say, self._over = deaths, say, Event()

    def run(self) -> None:
        told: set[str] = set()
        while not self._over.wait(EVERY_S):
            with suppress(LabError):  # the lab itself is gone, which the run hears
                for death in self._deaths():
                    if death not in told:
                        self._say(death)
                    told.add(death)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()
