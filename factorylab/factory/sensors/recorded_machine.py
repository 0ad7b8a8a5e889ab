"""A recorded machine: a file replayed as the temperature readings of one sensor, in the file's order.

The whole file is checked before anything starts; `factorylab.detectors.recordings` reads it. Rows without a number are
left out. Times without an offset are UTC unless the layout names a time zone; they may repeat or step back, as
recorders' clocks do. `seq` counts the readings, so the n-th of the file is reading n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab.core import messages
from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Account, counted, listed
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.factory.sensors.sensor import Block, SensorInfo

if TYPE_CHECKING:
    from factorylab.detectors.recordings.read import Rows

LOCATION = "recorded"
USUAL = "value"  # the column that is taken where several hold numbers and none is named


class SourceSettings(Protocol):
    """What names a source: a workload or a fleet's configuration."""

    @property
    def source(self) -> Path | None: ...
    @property
    def time_column(self) -> str | None: ...
    @property
    def value_column(self) -> str | None: ...
    @property
    def layout(self) -> Layout: ...


def source_of(settings: SourceSettings) -> SourceFile | None:
    """The source that was named, if one was."""
    if settings.source is None:
        return None
    return SourceFile(settings.source, settings.time_column, settings.value_column, settings.layout)


@dataclass(frozen=True)
class SourceFile:
    """Where a recorded machine is: a file, its columns (None: found out) and its layout."""

    path: Path
    time_column: str | None = None
    value_column: str | None = None
    layout: Layout = field(default_factory=Layout)

    @cached_property
    def rows(self) -> Rows:
        """The readings, all of them checked; `values` has one channel and no holes.

        Raises:
            UsageError: naming file, line and the rule that it breaks.
        """
        from factorylab.detectors.recordings.read import read_rows  # pandas: a fleet that simulates does without

        columns = Columns(self.time_column, (self.value_column,) if self.value_column else ())
        machines = read_rows(self.path, columns, self.layout, windows=True)
        if len(machines) > 1:
            names = listed([rows.machine for rows in machines])
            one = f"{self.layout.by}={machines[0].machine}"
            raise UsageError(f"{self.path} holds several machines ({names}), and one is replayed: name it as by: {one}")
        return _checked(_measured(_one_channel(machines[0], self.path)))

    @property
    def account(self) -> Account:
        return self.rows.account(self.path)


def _one_channel(rows: Rows, path: Path) -> Rows:
    if len(rows.channels) > 1 and USUAL not in rows.channels:
        raise UsageError(
            f"{path}: {listed(rows.channels)} hold numbers, and one column is replayed: name it with value_column"
        )
    return rows.only_channels([USUAL if USUAL in rows.channels else rows.channels[0]])


def _measured(rows: Rows) -> Rows:
    holes = np.isnan(rows.values[:, 0])
    if holes.any():
        rows.notes.left_out.append(f"{counted(int(holes.sum()), 'row')} without a number")
    return rows.only(~holes)


def _checked(rows: Rows) -> Rows:
    values = rows.values[:, 0]
    for at in (int(values.argmin()), int(values.argmax())):
        try:
            msgspec.convert(float(values[at]), messages.Celsius)
        except msgspec.ValidationError as error:
            raise UsageError(f"{rows.where(at)}: {values[at]:g} is not a temperature in °C: {error}") from None
    return rows


class RecordedMachine:
    """All readings of one source."""

    def __init__(self, source: SourceFile, sensor: str | None = None) -> None:
        self._name = sensor or source.rows.name
        self.account = source.account
        self.sensors: Sequence[SensorInfo] = [SensorInfo(0, self._name, "temperature", LOCATION)]
        self._values: NDArray[np.float64] = source.rows.values[:, 0]
        self._times = source.rows.times

    @property
    def total(self) -> int:
        return len(self._values)

    def filled(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        seq = np.arange(first, min(first + count, self.total), dtype=np.int64)
        return np.zeros(len(seq), np.int64), seq

    def block(self, first: int, count: int, timestamp: str) -> Block:
        """The file's own times are sent, not `timestamp`."""
        values = self._values[first : first + count].tolist()
        stamps = np.datetime_as_string(self._times[first : first + count], unit="us")
        seq = np.arange(first, first + len(values), dtype=np.int64)
        readings: list[messages.AnyReading] = [
            messages.TemperatureReading(
                timestamp=f"{stamp}Z",
                sensor_id=self._name,
                location=LOCATION,
                seq=at,
                readings=messages.TemperatureMeasures(value),
            )
            for at, stamp, value in zip(seq.tolist(), stamps, values, strict=True)
        ]
        return Block(np.zeros(len(values), np.int64), seq, readings, [])
