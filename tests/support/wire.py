"""Readings as they come from the log, good ones and bad ones."""

from __future__ import annotations

import json


def wire(**changes: object) -> tuple[bytes, bytes]:
    """Key and value of a good temperature reading, with changes."""
    good = {
        "kind": "temperature",
        "timestamp": "2024-01-01T00:00:00Z",
        "sensor_id": "s-1",
        "location": "line-1",
        "seq": 0,
    }
    content: dict[str, object] = {**good, "readings": {"temperature_c": 70.5}} | changes
    return str(content["sensor_id"]).encode(), json.dumps(content).encode()


BAD: dict[str, tuple[bytes | None, bytes | None]] = {
    "no json": (b"s-1", b"{"),
    "empty": (b"s-1", b""),
    "no value": (b"s-1", None),
    "no key": (None, wire()[1]),
    "another key": (b"s-2", wire()[1]),
    "key is no text": (b"\xff", wire()[1]),
    "value is no text": (b"s-1", b'{"sensor_id":"\xff"}'),
    "NUL in id": wire(sensor_id="s\0"),
    "NUL in location": wire(location="l\0"),
    "NaN": (b"s-1", wire()[1].replace(b"70.5", b"NaN")),
    "infinite": (b"s-1", wire()[1].replace(b"70.5", b"1e999")),
    "wrong type": wire(seq="0"),
    "seq out of range": wire(seq=2**63),
    "missing field": wire(readings={}),
    "unknown kind": wire(kind="pressure"),
    "oversize": wire(location="x" * 500_000),
    "no time": wire(timestamp="soon"),
    "from the future": wire(timestamp="2500-01-01T00:00:00Z"),
    "deeply nested": (b"s-1", b"[" * 100_000),
    "lone surrogate": (b"s-1", wire()[1].replace(b"line-1", b"\\ud800")),
}
