"""Intake: from the bytes of a batch to checked columns. A record is good or bad by its own key and bytes alone.

The whole batch is decoded in bulk; only when something in it is bad are its records looked at one by one, by the same
rules: the types of `messages`, a time between 1970 and 2099, a key that is the sensor id, no NUL in what is stored as
text (PostgreSQL cannot hold one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab.core import messages
from factorylab.core.messages import AnyReading, EnergyReading, TemperatureReading, VibrationReading
from factorylab.factory.store.copy_binary import Columns

Ints = NDArray[np.int64]
KEYS_MAX = 1_000_000
CONVERTER_STAGE, POISON_STAGE = "VALUE_CONVERTER", "TASK_PUT"  # words of Kafka Connect (its enum Stage)
FIELDS: Mapping[type[AnyReading], tuple[str, tuple[str, ...]]] = {
    TemperatureReading: ("temperature", ("temperature_c",)),
    VibrationReading: (
        "vibration",
        ("velocity_mm_s", "acceleration_g", "crest_factor", "kurtosis", "load_percent"),
    ),
    EnergyReading: ("energy", ("energy_kwh", "running", "hour_of_week")),
}


class BadRecord(ValueError):
    """The rule that a record breaks."""


@dataclass(frozen=True)
class Records:
    """What one poll brought of a partition, in offset order; equal lengths, at least one record."""

    partition: int
    offsets: Ints
    keys: list[bytes | None]
    values: list[bytes | None]

    def since(self, offset: int) -> Records | None:
        """Those at or after `offset`; None where there are none."""
        skip = int(np.searchsorted(self.offsets, offset))
        if skip == 0:
            return self
        if skip == len(self.offsets):
            return None
        return self.part(skip, len(self.offsets))

    def part(self, start: int, end: int) -> Records:
        """Records number `start` up to, not including, `end`."""
        return Records(self.partition, self.offsets[start:end], self.keys[start:end], self.values[start:end])

    @property
    def first_offset(self) -> int:
        return int(self.offsets[0])

    @property
    def last_offset(self) -> int:
        return int(self.offsets[-1])


@dataclass(frozen=True)
class Bad:
    """A bad record as it was, its position in the batch, why it is bad, and at which stage of Kafka Connect's."""

    at: int
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    error: Exception
    stage: str = CONVERTER_STAGE


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


def take_in(records: Records) -> Intake:
    """Decode and check a batch."""
    try:
        return _all_good(records.keys, records.values)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        return _one_by_one(records)


def _all_good(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Intake:
    readings: list[AnyReading] = list(map(messages.decode, values))  # type: ignore[arg-type]
    names = [reading.sensor_id for reading in readings]
    if list(map(_names.__getitem__, keys)) != names:
        raise BadRecord("a key is not its sensor id")
    if any("\0" in location for location in {reading.location for reading in readings}):
        raise BadRecord("NUL in a location")
    return Intake(readings, names, np.arange(len(readings)), _times_us(readings), [])


def _one_by_one(records: Records) -> Intake:
    readings: list[AnyReading] = []
    good: list[int] = []
    bad: list[Bad] = []
    offsets = records.offsets.tolist()
    for at, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
        try:
            readings.append(check(key, value))
            good.append(at)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            bad.append(Bad(at, records.partition, offsets[at], key, value, error))
    names = [reading.sensor_id for reading in readings]
    return Intake(readings, names, np.array(good, np.int64), _times_us(readings), bad)


def _times_us(readings: Sequence[AnyReading]) -> Ints:
    stamps = [reading.timestamp for reading in readings]
    return np.fromiter(map(messages.timestamp_us, stamps), np.int64, len(stamps))


def check(key: bytes | None, value: bytes | None) -> AnyReading:
    """Decode one record.

    Raises:
        BadRecord, ValueError, RecursionError, msgspec.MsgspecError: naming the rule that it breaks.
    """
    if value is None:
        raise BadRecord("the record has no value")
    reading: AnyReading = messages.decode(value)
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


def columns(kind: type[AnyReading], readings: Sequence[AnyReading]) -> Columns:
    """The measures of readings of one kind, by field name."""
    measures = [reading.readings for reading in readings]
    types = {"running": np.bool_, "hour_of_week": np.int16}
    return {
        field: np.fromiter(map(attrgetter(field), measures), types.get(field, np.float64), len(measures))
        for field in FIELDS[kind][1]
    }
