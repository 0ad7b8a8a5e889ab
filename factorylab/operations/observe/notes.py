"""What the clients put down, in the words in which it is kept: each with its moment on the monotonic clock."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, SimpleQueue

import msgspec

from factorylab.operations.observe.canary import Canary


class Offered(msgspec.Struct, frozen=True, gc=False):
    """A canary was handed to the producer, so long after its moment."""

    partition: int
    seq: int
    t_ns: int
    late_ns: int


class Acked(msgspec.Struct, frozen=True, gc=False):
    """A canary was acknowledged; `offset` is −1 where a retry found it in the log already."""

    canary: Canary
    offset: int
    t_ns: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A canary got an error, and will get no acknowledgement any more."""

    canary: Canary
    why: str
    t_ns: int


class Read(msgspec.Struct, frozen=True, gc=False):
    """A record; `canary` is None where it is somebody else's."""

    partition: int
    offset: int
    canary: Canary | None
    t_ns: int


class Begins(msgspec.Struct, frozen=True, gc=False):
    """The log of a partition begins here by now."""

    partition: int
    offset: int


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """A client of the observer's failed by itself."""

    why: str
    t_ns: int


Noted = Acked | Refused | Read | Begins | Trouble


def taken(noted: SimpleQueue[Noted]) -> Iterator[Noted]:
    """What was put down since the last time."""
    while True:
        try:
            yield noted.get_nowait()
        except Empty:
            return
