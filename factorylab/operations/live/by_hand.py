"""Faults by hand from the page: each is a `factorylab fault` of its own, which heals whatever becomes of the page."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

import msgspec

from factorylab.cluster import boot, manage
from factorylab.core import environment
from factorylab.core.errors import LabBusy, UsageError
from factorylab.core.sources import PREFIX
from factorylab.scenarios.fault_catalog import FAULT_KINDS, ON_DATABASE, ON_NETWORK, ON_PROCESS

Component = Literal["broker", "consumer", "database", "network"]
KINDS: dict[Component, tuple[str, ...]] = {
    "broker": ON_PROCESS,
    "consumer": ON_PROCESS,
    "database": ON_DATABASE,
    "network": ON_NETWORK,
}
"""What `factorylab fault` can do to each."""
TARGETS: dict[Component, str] = {"broker": "leader:0", "consumer": "owner:0", "database": "", "network": "leader:0"}
HOLD_MAX_S = 600.0
SAID_LINES = 12


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault as the page asks for it; `target` is a role, as on the command line, and empty for the database."""

    component: Component
    kind: str
    target: str
    hold_s: float

    def words(self) -> list[str]:
        """The words of the command.

        Raises:
            UsageError: a value that it cannot have.
        """
        if self.kind not in KINDS[self.component]:
            raise UsageError(f"kind {self.kind!r}: a {self.component} can have {', '.join(KINDS[self.component])}")
        if not 0.1 <= self.hold_s <= HOLD_MAX_S:
            raise UsageError(f"hold_s {self.hold_s:g}: from 0.1 to {HOLD_MAX_S:g} seconds")
        if self.component == "database":
            return ["fault", "database", self.kind, "--hold", str(self.hold_s)]
        if not re.fullmatch(r"[a-z]+(:[\w./-]+)?", self.target):
            raise UsageError(f"target {self.target!r}: a role, such as {TARGETS[self.component]} or broker:2")
        return ["fault", self.component, self.kind, "--target", self.target, "--hold", str(self.hold_s)]


def possible(home: Path) -> dict[str, dict[str, str]]:
    """The kinds that the lab in `home` can do, by component, each with its effect."""
    can = boot.known(home).can
    return {of: {kind: FAULT_KINDS[kind].effect for kind in kinds if kind in can} for of, kinds in KINDS.items()}


class ByHand:
    """At most one fault at a time. `said` is what its command said last."""

    def __init__(self, home: Path) -> None:
        self._home, self._turn = home, Lock()
        self.said: deque[str] = deque(maxlen=SAID_LINES)
        self._process: subprocess.Popen[str] | None = None

    @property
    def _busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def inject(self, order: FaultOrder) -> None:
        """Begin a fault.

        Raises:
            UsageError: the order cannot be carried out.
            LabBusy: a run, or another fault, drives the lab.
        """
        words = order.words()
        with self._turn:
            if self._busy:
                raise LabBusy("a fault by hand is held: heal it first")
            manage.check_free(self._home)
            self.said.clear()
            self.said.append(f"factorylab {' '.join(words)}")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "factorylab", *words],
                env=environment.driver() | {PREFIX + "HOME": str(self._home)},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )  # fmt: skip
            Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line.rstrip())
        process.wait()
        process.stderr.close()

    def heal(self) -> list[str]:
        """Heal everything in the lab; the page's own fault as Ctrl-C would, so that its command writes that down."""
        if self._interrupted():
            return ["the command was told to heal at once"]
        return manage.heal(self._home) or ["nothing was paused and nothing was dead"]

    def close(self) -> None:
        """A fault that is held is healed at once."""
        self._interrupted()

    def _interrupted(self) -> bool:
        """As Ctrl-C does; False where no command of ours is at work."""
        if self._process is None or not self._busy:
            return False
        self._process.send_signal(signal.SIGINT)
        return True
