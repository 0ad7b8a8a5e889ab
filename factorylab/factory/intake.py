"""Intake: from the bytes of a batch to checked columns. A record is good or bad by its own key and bytes alone.

The whole batch is decoded in bulk; only when something in it is bad are its records looked at one by one, by the same
rules: the types of `messages`, a time between 1970 and 2099, a key that is the sensor id, no NUL in what is stored as
text (PostgreSQL cannot hold one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab import messages
from factorylab.messages import AnyReading, EnergyReading, TemperatureReading, VibrationReading

Ints = NDArray[np.int64]
KEYS_MAX = 1_000_000
FIELDS: Mapping[type[AnyReading], tuple[str, tuple[str, ...]]] = {
    TemperatureReading: ("temperature", ("temperature_c",)),
    VibrationReading: ("vibration", ("velocity_mm_s", "acceleration_g")),
    EnergyReading: ("energy", ("energy_kwh", "running")),
}


class BadRecord(ValueError):
    """The rule that a record breaks."""


@dataclass(frozen=True)
class Bad:
    """A bad record: its position in the batch and why."""

    at: int
    error: Exception


@dataclass(frozen=True)
class Intake:
    """Good readings in log order with their positions in the batch and times (UTC µs), and the bad ones."""

    readings: list[AnyReading]
    names: list[str]
    at: Ints
    recorded_us: Ints
    bad: list[Bad]


class _Names(dict[bytes | None, str | None]):
    """The sensor id that a key stands for; None for a key that cannot be one."""

    def __missing__(self, key: bytes | None) -> str | None:
        if len(self) >= KEYS_MAX:
            self.clear()
        try:
            name = None if key is None or b"\0" in key else key.decode()
        except UnicodeDecodeError:
            name = None
        self[key] = name
        return name


_names = _Names()


def take_in(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Intake:
    """Decode and check a batch."""
    try:
        return _all_good(keys, values)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        return _one_by_one(keys, values)


def _all_good(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Intake:
    readings = list(map(messages.decode, values))  # type: ignore[arg-type]
    names = [reading.sensor_id for reading in readings]
    if list(map(_names.__getitem__, keys)) != names:
        raise BadRecord("a key is not its sensor id")
    if any("\0" in location for location in {reading.location for reading in readings}):
        raise BadRecord("NUL in a location")
    count = len(readings)
    times = np.fromiter((messages.timestamp_us(reading.timestamp) for reading in readings), np.int64, count)
    return Intake(readings, names, np.arange(count), times, [])


def _one_by_one(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Intake:
    good, bad = [], []
    for at, (key, value) in enumerate(zip(keys, values, strict=True)):
        try:
            good.append((at, check(key, value)))
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            bad.append(Bad(at, error))
    readings = [reading for _, reading in good]
    times = np.array([messages.timestamp_us(reading.timestamp) for reading in readings], np.int64)
    at = np.array([at for at, _ in good], np.int64)
    return Intake(readings, [reading.sensor_id for reading in readings], at, times, bad)


def check(key: bytes | None, value: bytes | None) -> AnyReading:
    """Decode one record.

    Raises:
        BadRecord, ValueError, RecursionError, msgspec.MsgspecError: naming the rule that it breaks.
    """
    if value is None:
        raise BadRecord("the record has no value")
    reading = messages.decode(value)
    if _names[key] != reading.sensor_id:
        raise BadRecord(f"the key {key!r} is not the sensor id {reading.sensor_id!r}, or no text")
    if "\0" in reading.location:
        raise BadRecord("the location contains NUL")
    messages.timestamp_us(reading.timestamp)
    return reading


def by_kind(readings: Sequence[AnyReading]) -> dict[type[AnyReading], Ints]:
    """The rows of each kind that occurs."""
    kinds = list(FIELDS)
    number = {kind: at for at, kind in enumerate(kinds)}
    codes = np.fromiter(map(number.__getitem__, map(type, readings)), np.int8, len(readings))
    found = {kind: np.flatnonzero(codes == at) for at, kind in enumerate(kinds)}
    return {kind: rows for kind, rows in found.items() if len(rows)}


def columns(
    kind: type[AnyReading], readings: Sequence[AnyReading]
) -> dict[str, NDArray[np.float64] | NDArray[np.bool_]]:
    """The measures of readings of one kind, by field name."""
    measures = [reading.readings for reading in readings]
    types = {"running": np.bool_}
    return {
        field: np.fromiter((getattr(m, field) for m in measures), types.get(field, np.float64), len(measures))
        for field in FIELDS[kind][1]
    }
