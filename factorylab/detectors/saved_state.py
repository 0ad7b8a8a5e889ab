"""The saved state of the detectors of a partition, in parts.

Part 0 is all of it; parts 1, 2, … hold what has changed since the part before: the rows of the sensors that were fed,
bit for bit, so what is written with a batch grows with its readings and not with the sensors. A new owner begins with
a part 0, and the next one comes when the changes would outgrow it, so no more than twice the state is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

VERSION = 2


class Part(NamedTuple):
    """One with number 0 takes the place of all earlier parts."""

    number: int
    data: bytes


class PartState(msgspec.Struct, array_like=True):
    """The content of a part; bytes hold little-endian numbers. A state from before there were parts is a part 0 that
    lacks the last fields."""

    version: int
    names: list[str]  # of the sensors that are new, by slot
    last_seq: bytes  # int64, by `slots`
    tracks: dict[str, list[tuple[int, list[int], list[bool]]]]  # rule → (slot, above, active); always all there are
    scores: dict[str, tuple[bytes, bytes]]  # watch → (keys, rows of its detector's state)
    number: int = 0
    slots: bytes = b""  # int32; empty in part 0, which has all


_version_decoder = msgspec.msgpack.Decoder(list)
_state_decoder = msgspec.msgpack.Decoder(PartState)
encode = msgspec.msgpack.Encoder().encode


def decode(number: int, data: bytes) -> PartState:
    """The content of what should be the part `number`.

    Raises:
        ValueError: it was saved in another format, or is another part.
    """
    version = _version_decoder.decode(data)[0]
    if version != VERSION:
        raise ValueError(f"detector state has version {version}, this program reads {VERSION}")
    state = _state_decoder.decode(data)
    if state.number != number:
        raise ValueError(f"part {number} of the detector state is missing: part {state.number} is in its place")
    return state
