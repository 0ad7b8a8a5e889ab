"""A recorded machine: a CSV file replayed as the temperature readings of one sensor, in the file's order.

The whole file is checked before anything starts. Times without a zone are UTC; they may repeat or step back, as
recorders' clocks do. `seq` is the row's number, so the n-th reading of the file is reading n.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from factorylab import messages
from factorylab.errors import UsageError
from factorylab.factory.sensors.base import Block, SensorInfo

LOCATION = "recorded"


class Recording:
    """All readings of one file."""

    def __init__(self, path: Path, time_column: str, value_column: str, sensor: str | None = None) -> None:
        name = sensor or path.stem
        self.sensors: Sequence[SensorInfo] = [SensorInfo(0, name, "temperature", LOCATION)]
        self._readings: list[messages.AnyReading] = [
            messages.TemperatureReading(
                timestamp=timestamp, sensor_id=name, location=LOCATION, seq=seq, readings=messages.Temperature(value)
            )
            for seq, (timestamp, value) in enumerate(read_csv(path, time_column, value_column))
        ]

    @property
    def total(self) -> int:
        return len(self._readings)

    def block(self, first: int, count: int, timestamp: str) -> Block:
        """The file's own times are sent, not `timestamp`."""
        readings = self._readings[first : first + count]
        seq = np.arange(first, first + len(readings), dtype=np.int64)
        return Block(np.zeros(len(readings), np.int64), seq, readings, [])


def count_readings(path: Path, time_column: str, value_column: str) -> int:
    """How many readings a file holds, all of it checked.

    Raises:
        UsageError: naming file, line and the rule that it breaks.
    """
    return sum(1 for _ in read_csv(path, time_column, value_column))


def read_csv(path: Path, time_column: str, value_column: str) -> Iterator[tuple[str, float]]:
    """(RFC 3339 time, °C) of each row; empty lines are passed over.

    Raises:
        UsageError: naming file, line and the rule that it breaks.
    """
    rows = 0
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, strict=True)
        try:
            for column in (time_column, value_column):
                if column not in (reader.fieldnames or ()):
                    there = ", ".join(reader.fieldnames or ()) or "none"
                    raise UsageError(f"{path}: there is no column {column!r}; its columns are {there}")
            for row in reader:
                rows += 1
                yield _time(row[time_column]), _celsius(row[value_column])
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise UsageError(f"{path}: there is no reading in it, only a header")


def _time(text: str | None) -> str:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time: write it like 2024-01-31 23:59:00") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    stamp = aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    messages.timestamp_us(stamp)
    return stamp


def _celsius(text: str | None) -> float:
    try:
        return msgspec.convert(float(text or ""), messages.Celsius)
    except msgspec.ValidationError as error:
        raise ValueError(f"{text!r} is no temperature in °C: {error}") from None
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
