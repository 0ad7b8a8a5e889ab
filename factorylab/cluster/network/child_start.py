"""What a new child of the supervisor does before its program runs: go to its network, change its account, stay bound.

On Linux a child dies with the process that spawned it (PR_SET_PDEATHSIG, which is bound to the spawning thread, and
which a change of account would take back: it comes last).
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from factorylab.cluster.network.netns import LIBC, Namespace, keep_capabilities
from factorylab.cluster.network.volume import Volume

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Beginning:
    """Called in the child. `user` is a numeric uid and gid; `capable` lets its program configure the network."""

    parent: int
    place: Namespace | None = None
    user: int | None = None
    capable: bool = False
    volume: Volume | None = None

    def __call__(self) -> None:
        if self.place:
            self.place.enter()
            if self.capable and self.place.user is not None:
                keep_capabilities()
        if self.volume:
            self.volume.enter(user_too=self.place is None)
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self.parent:  # it died before we asked
                os._exit(1)
