"""Which silence of a partition counts as a stall: one rule for the audit of a run and for the observation of a cluster.

A silence lasts from the last answer to the next, and begins no sooner than the first record that then waits was sent.
"""

from __future__ import annotations

from typing import NamedTuple

STALL_S = 0.5
"""A shorter silence is none: two looks of the probe, which sees causes five times a second, and a batch."""
HICCUP_S = 1.0
"""A shorter one without a cause is a busy host's: Java, disk and scheduler pause for as long on two cores, with and
without faults. From one second on it is told, as alerts are late from then on."""


class Silence(NamedTuple):
    """`open`: it did not end while service was wanted, so its true length is more."""

    start_ns: int
    end_ns: int
    open: bool


def told(lasted_s: float, *, caused: bool) -> bool:
    """Is a silence longer than STALL_S told? `caused`: a cause of the system is seen."""
    return caused or lasted_s >= HICCUP_S
