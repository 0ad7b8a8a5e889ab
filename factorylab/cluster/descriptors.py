"""Open files and sockets: what a shell allows each process, and what a lab's processes need.

A broker holds most: its jars, the segments of its logs, its connections. It held 125 to 136 when a lab had just
started, and some more with the topics of each run that stays.
"""

from __future__ import annotations

import resource
from contextlib import suppress

from factorylab.core.errors import EnvironmentUnfit

NEEDED = 256
ENOUGH = 65_536  # no process of a lab uses more, however many are allowed


def trouble() -> str:
    """Why a lab cannot start in this shell, with the way out; empty where it can."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= NEEDED:
        return ""
    return f"this shell allows a process {hard} open files and a broker needs {NEEDED}: 'ulimit -n 4096' in a new shell"


def check() -> None:
    """Raises EnvironmentUnfit where too few open files are allowed."""
    if reason := trouble():
        raise EnvironmentUnfit(reason)


def allowed() -> int:
    """How many a process of a lab may have: what the shell allows at most, not what it grants at first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)


def take_all() -> None:
    """Raise this process's limit to `allowed`; its children start with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < allowed():
        with suppress(ValueError, OSError):  # then it stays as it is, which is enough for most
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed(), hard))
