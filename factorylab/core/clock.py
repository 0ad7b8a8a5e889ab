"""One clock: the host kernel's monotonic clock, shared by every process of a run.

Monotonic times of different boots are never joined: each journal's header carries the boot id.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import msgspec

NS = 1_000_000_000
FOREVER_NS = 1 << 62  # after every moment
STAMP_NS, STAMP_TRIES = 1_000_000, 10
JUMP_S = 0.1
"""From here on the wall clock was stepped, or the host suspended: an adjustment slows or hastens both clocks alike, and
the two are read microseconds apart (`stamp`)."""


class ClockStamp(msgspec.Struct, frozen=True):
    """The same instant on both clocks, and the boot that the monotonic one belongs to."""

    boot_id: str
    mono_ns: int
    wall_ns: int


@cache
def boot_id() -> str:
    """The kernel's boot id, or one derived from the boot time where the kernel has none (not Linux)."""
    path = Path("/proc/sys/kernel/random/boot_id")
    if path.exists():
        return path.read_text().strip()
    import psutil

    return f"boot-{int(psutil.boot_time())}"


def now_ns() -> int:
    """Nanoseconds of the host's monotonic clock."""
    return time.monotonic_ns()


def stamp() -> ClockStamp:
    """The present instant on both clocks, read again where the machine was busy with others in between."""
    for _ in range(STAMP_TRIES):
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        if time.monotonic_ns() - mono_ns < STAMP_NS:
            break
    return ClockStamp(boot_id(), mono_ns, wall_ns)
