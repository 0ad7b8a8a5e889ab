"""What became of the canaries of one partition: the audit's words, kept up to date in bounded memory.

The log of a partition is read in its order. So an acknowledged canary that was not read when the reader is beyond its
offset is lost, or expired where the log begins later by now: nothing that comes later changes that.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

PENDING_MAX = 10_000
"""Canaries that are neither read nor lost yet. Where there are more, the oldest are not judged, and counted so."""
RECENT_MAX = 2_000  # canaries that were read, with their offsets
NOWHERE = -1


class Counts(msgspec.Struct):
    """Canaries of one partition, by what became of them ([glossary](docs/glossary.md)).

    `not_offered` were due while the observer did not run, `shed` found the producer's queue full. `unknown` have no
    acknowledgement, `unknown_found` of them are in the log. `not_judged` were unread when they had to be forgotten.
    """

    offered: int = 0
    acknowledged: int = 0
    unknown: int = 0
    unknown_found: int = 0
    read: int = 0
    lost: int = 0
    expired: int = 0
    doubled: int = 0
    reordered: int = 0
    not_offered: int = 0
    shed: int = 0
    not_judged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            *(a + b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True))
        )


class Harm(msgspec.Struct, frozen=True):
    """One canary that is `what`: lost, expired, doubled or reordered."""

    what: str
    partition: int
    seq: int
    offset: int
    t_ns: int


class _Pending(msgspec.Struct):
    offset: int = NOWHERE  # where it is acknowledged to be
    before: int = NOWHERE  # acknowledged without an offset: canaries from this one on were sent after that
    least: int = 0  # the lowest offset that it may have
    unknown: bool = False


class Ledger:
    """The canaries of one partition. Each call gives the harm that it brings to light."""

    def __init__(self, partition: int) -> None:
        self._partition, self.counts = partition, Counts()
        self._pending: dict[int, _Pending] = {}
        self._recent: dict[int, int] = {}
        self._next_offset, self._log_start = 0, 0
        self._last_seq, self._forgotten = -1, -1  # the highest that was read, and that had to be forgotten
        self._offered = -1

    def offered(self, seq: int) -> None:
        self.counts.offered, self._offered = self.counts.offered + 1, seq
        self._pending[seq] = _Pending()
        while len(self._pending) > PENDING_MAX:
            self._forgotten = next(iter(self._pending))
            self.counts.not_judged += not self._pending.pop(self._forgotten).unknown

    def acked(self, seq: int, offset: int, t_ns: int) -> list[Harm]:
        """`offset` is NOWHERE where the broker had the canary already, and tells only that."""
        self.counts.acknowledged += 1
        if canary := self._pending.get(seq):
            canary.offset, canary.least = offset, offset
            if offset == NOWHERE:
                canary.before, canary.least = self._offered + 1, self._log_start
        return list(self._missing(t_ns))

    def unknown(self, seq: int) -> None:
        """It has no acknowledgement, and gets none any more."""
        self.counts.unknown += 1
        if canary := self._pending.get(seq):
            canary.unknown = True
        elif seq in self._recent:
            self.counts.unknown_found += 1

    def begins(self, log_start: int) -> None:
        """The log of the partition begins here by now."""
        self._log_start = log_start

    def passed(self, offset: int, t_ns: int) -> list[Harm]:
        """A record of somebody else was read."""
        self._next_offset = max(self._next_offset, offset + 1)
        return list(self._missing(t_ns))

    def read(self, seq: int, offset: int, t_ns: int) -> tuple[bool, list[Harm]]:
        """A canary was read: for the first time? And the harm."""
        again = offset < self._next_offset
        self._next_offset = max(self._next_offset, offset + 1)
        found = self._pending.pop(seq, None)
        if found is None:
            fresh = not again and seq > self._forgotten  # what lies before was read again, by a reader that was reset
            doubled = self._recent[seq] != offset if seq in self._recent else fresh
            self.counts.doubled += doubled
            return False, [self._harm("doubled", seq, offset, t_ns)] * doubled + list(self._missing(t_ns))
        harm = [self._harm("reordered", seq, offset, t_ns)] * (seq < self._last_seq)
        self.counts.reordered += len(harm)
        self.counts.read += 1
        self.counts.unknown_found += found.unknown
        self._last_seq = max(self._last_seq, seq)
        self._recent[seq] = offset
        while len(self._recent) > RECENT_MAX:
            self._recent.pop(next(iter(self._recent)))
        return True, harm + list(self._missing(t_ns))

    @property
    def pending(self) -> int:
        """Canaries that are neither read nor lost yet."""
        return len(self._pending)

    def _missing(self, t_ns: int) -> Iterator[Harm]:
        for seq in list(self._passed()):
            canary = self._pending.pop(seq)
            expired = canary.least < self._log_start
            self.counts.expired += expired
            self.counts.lost += not expired
            yield self._harm("expired" if expired else "lost", seq, canary.offset, t_ns)

    def _passed(self) -> Iterator[int]:
        """Acknowledged ones that the reader has passed. Acknowledgements come in the order of the log."""
        for seq, canary in self._pending.items():
            if canary.offset >= self._next_offset:
                return
            if canary.offset != NOWHERE or NOWHERE < canary.before <= self._last_seq:
                yield seq

    def _harm(self, what: str, seq: int, offset: int, t_ns: int) -> Harm:
        return Harm(what, self._partition, seq, offset, t_ns)
