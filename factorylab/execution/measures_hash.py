"""One number for everything that a reading measured, and when: the log and the store must come to the same.

The final read makes it of the payload for a record of the log, and of the columns of `readings` for a row of the store.
A measure that a reading does not have counts as absent, which is not the same as NaN; −0.0 is 0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from factorylab.core.messages import timestamp_us

NO_TIME = -1  # of a record without a time that the store could have


class AnyMeasures(msgspec.Struct, frozen=True, gc=False):
    """The measures of every kind of sensor, named like the columns of `readings`; the main measures stand first."""

    temperature_c: float | None = None
    velocity_mm_s: float | None = None
    energy_kwh: float | None = None
    acceleration_g: float | None = None
    crest_factor: float | None = None
    kurtosis: float | None = None
    load_percent: float | None = None
    running: bool | None = None
    hour_of_week: int | None = None


MEASURES = AnyMeasures.__struct_fields__
MAIN = 3  # so many of them are main measures: a kind of sensor has one
NOTHING = AnyMeasures()


_text = msgspec.json.Decoder(str)


def stamp_us(timestamp: msgspec.Raw) -> int:
    """UTC microseconds since the epoch of a time in JSON; NO_TIME where it is none."""
    try:
        return timestamp_us(_text.decode(timestamp))
    except (msgspec.DecodeError, ValueError):
        return NO_TIME


def columns_of(measures: Sequence[AnyMeasures]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values (n × MEASURES, NaN where absent) and which of them are there."""
    rows = [msgspec.structs.astuple(one) for one in measures]
    there = [[value is not None for value in row] for row in rows]
    shape = (len(rows), len(MEASURES))
    return np.array(rows, dtype=np.float64).reshape(shape), np.array(there, dtype=bool).reshape(shape)


def main_measure(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """That of each reading's kind of sensor: the first that there is, or NaN."""
    first, second, third = values.T[:MAIN]
    found: NDArray[np.float64] = np.where(~np.isnan(first), first, np.where(~np.isnan(second), second, third))
    return found


def measures_hashes(
    stamps_us: NDArray[np.int64], values: NDArray[np.float64], there: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    """One hash for each reading. `values` and `there` have a row for each reading and a column for each of MEASURES;
    where `there` is false the value does not matter."""
    known = np.where(there, values + 0.0, 0.0)
    block = np.empty((len(values), len(MEASURES) + 2), dtype=np.int64)
    block[:, 0], block[:, 1], block[:, 2:] = stamps_us, there @ (1 << np.arange(len(MEASURES))), known.view(np.int64)
    rows: Any = block.view(np.dtype((np.void, block.shape[1] * block.itemsize))).ravel()
    return np.array([xxhash.xxh3_64_intdigest(row.tobytes()) for row in rows], dtype=np.uint64)
