"""The records that an observation offers and reads back, each of which says who it is and when it was due."""

from __future__ import annotations

import msgspec

from factorylab.core.clock import NS


class Canary(msgspec.Struct, frozen=True):
    """Canary `seq` (from 0) of a partition in one observation."""

    observation: str
    partition: int
    seq: int


_read = msgspec.json.Decoder(Canary)


def encode(canary: Canary) -> bytes:
    """As it is in the log."""
    return msgspec.json.encode(canary)


def decode(value: bytes | None) -> Canary | None:
    """The canary in a record; None where it holds none."""
    try:
        return _read.decode(value or b"")
    except msgspec.DecodeError:
        return None


class Schedule:
    """Open loop: canary `seq` of each partition has its intended moment, however slow the cluster is. The partitions
    take turns within a period, so that the load is even."""

    def __init__(self, start_ns: int, rate_hz: float, partitions: int) -> None:
        self._start_ns, self._period_ns, self._partitions = start_ns, NS / rate_hz, partitions

    def intended_ns(self, partition: int, seq: int) -> int:
        """When it is due, on the monotonic clock."""
        return self._start_ns + round((seq + partition / self._partitions) * self._period_ns)

    def due(self, partition: int, now_ns: int) -> int:
        """How many canaries of a partition are due by now."""
        return max(int((now_ns - self.intended_ns(partition, 0)) // self._period_ns) + 1, 0)
