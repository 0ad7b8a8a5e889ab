"""What a fleet needs of its sensors: who they are, and any block of their readings, without a clock.

The slots of a source are numbered from 0 in the order they come up: its sensors take turns, so slot n is the
`n // len(sensors)`-th of sensor `n % len(sensors)`, and that is the seq of its reading. A sensor that is silent leaves
its slot empty. A source is deterministic: the same configuration gives the same readings and labels, whatever the
number of fleet processes and the size of blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from factorylab.core import messages


@dataclass(frozen=True)
class SensorInfo:
    """`index` is the sensor's number in the whole factory."""

    index: int
    name: str
    kind: str
    location: str


@dataclass(frozen=True)
class Block:
    """Readings of consecutive slots: `local` positions in `Source.sensors`, `seq` (both int64), and what to send.

    `labels` are of the anomalies that begin in these slots.
    """

    local: NDArray[np.int64]
    seq: NDArray[np.int64]
    readings: list[messages.AnyReading]
    labels: list[messages.Label]


class Source(Protocol):
    sensors: Sequence[SensorInfo]

    @property
    def total(self) -> int | None:
        """How many slots there are; None for a source that never ends."""
        ...

    def filled(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(local, seq) of the slots `first` ≤ n < `first + count` that hold a reading, without making it."""
        ...

    def block(self, first: int, count: int, timestamp: str) -> Block:
        """Slots `first` ≤ n < `first + count`; `timestamp` is now, for sources that have no time of their own."""
