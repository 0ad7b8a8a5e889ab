"""A dead letter as a record of its topic holds it."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Message

from factorylab.execution.log_scan import as_bytes, header_pairs
from factorylab.factory.processor.outbox import KEY_CUT, VALUE_CUT

Origin = tuple[str, int, int]  # topic, partition, offset


@dataclass(frozen=True)
class Letter:
    """A dead letter; `at_ms` is when it was written (Unix time), `cut` says that its bytes are not whole."""

    origin: Origin
    key: bytes | None
    value: bytes | None
    error_class: str
    error: str
    stage: str
    at_ms: int
    cut: bool
    resent: bool = False

    @property
    def place(self) -> str:
        return "{}/{}@{}".format(*self.origin)


def letter_of(message: Message) -> Letter | None:
    """The dead letter that a record is; None for a record without an origin, which nobody of the factory wrote."""
    headers = {name: as_bytes(value).decode(errors="replace") for name, value in header_pairs(message)}
    said = {name.removeprefix("__connect.errors."): value for name, value in headers.items()}
    try:
        origin = said["topic"], int(said["partition"]), int(said["offset"])
    except (KeyError, ValueError):
        return None
    key, value = message.key(), message.value()
    return Letter(
        origin,
        None if key is None else as_bytes(key),
        None if value is None else as_bytes(value),
        said.get("exception.class.name", ""),
        said.get("exception.message", ""),
        said.get("stage", ""),
        message.timestamp()[1],
        KEY_CUT in headers or VALUE_CUT in headers,
    )
