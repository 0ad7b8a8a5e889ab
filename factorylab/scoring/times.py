"""Times of a recording, as recorders write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.errors import UsageError

Times = NDArray[np.datetime64]
DAY = np.timedelta64(1, "D")
WRITTEN = ("ISO8601", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M")


def parse_times(path: Path, column: pd.Series) -> Times:
    """UTC times in the file's order; they may repeat or step back, as recorders' clocks do.

    Numbers are seconds (or, above 10¹¹, milliseconds) since 1970. Where a date can be read in two ways, the one
    counts that gives the more regular steps. A stamp of midnight that carries the date of the day that it ends is
    moved to the next day.

    Raises:
        UsageError: a time cannot be read.
    """
    if pd.api.types.is_numeric_dtype(column):
        return (column.to_numpy(np.float64) * (1e3 if column.max() > 1e11 else 1e6)).astype("datetime64[us]")
    read = [times for written in WRITTEN if (times := _parse(column, written)) is not None]
    if not read:
        first = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True).isna()
        raise UsageError(
            f"{path}: {column[first].iloc[0]!r} in column {column.name!r} is no time: write it like 2024-01-31 23:59:00"
        )
    return max((_midnights(times) for times in read), key=_regularity)


def _parse(column: pd.Series, written: str) -> Times | None:
    try:
        return pd.to_datetime(column, format=written, utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    except ValueError:
        return None


def _regularity(times: Times) -> float:
    """The share of steps that are the most frequent one."""
    return float(np.unique(np.diff(times), return_counts=True)[1].max(initial=0)) / max(len(times) - 1, 1)


def _midnights(times: Times) -> Times:
    """0:00 of a day that comes after that day's other times, or a day and more before the next, belongs to the next."""
    midnight = times == times.astype("datetime64[D]")
    before, after = np.r_[times[:1], times[:-1]], np.r_[times[1:], times[-1:]]
    first = np.arange(len(times)) == 0
    behind = (before > times) & (before - times < DAY) & (after - times > DAY)
    behind |= (before > times) & (before - times < DAY) & (np.arange(len(times)) == len(times) - 1)
    behind |= first & (after - times > DAY)
    return np.where(midnight & behind, times + DAY, times)
