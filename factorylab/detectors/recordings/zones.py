"""Local times to UTC, with the hour that a clock skips in spring and the one that it repeats in autumn.

A skipped time is read by the offset before the change, as if the clock had not been put forward. Of a repeated hour
the first pass is read in summer time; the second begins where the recording's times step back or stand still.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, counted

Times = NDArray[np.datetime64]
DAY = np.timedelta64(1, "D")


def zone(name: str) -> ZoneInfo:
    """The time zone of the IANA's name.

    Raises:
        UsageError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no time zone {name!r}: name one as in Europe/Berlin or UTC") from None


def to_utc(local: Times, where: ZoneInfo, notes: Notes | None = None) -> Times:
    """UTC of local times in the order of a recording."""
    summer, winter = _at(local, where, True), _at(local, where, False)
    skipped = np.isnat(summer)
    if skipped.any():
        summer[skipped] = winter[skipped] = _at(local[skipped] - DAY, where, True) + DAY
    repeated = summer != winter
    second = _second_pass(local, repeated)
    if notes is not None:
        _tell(notes, where, int(skipped.sum()), int(repeated.sum()), int(second.sum()))
    return np.where(second, winter, summer)


def _at(local: Times, where: ZoneInfo, summer: bool) -> Times:
    """NaT where there is no such time."""
    index = pd.DatetimeIndex(local).tz_localize(where, ambiguous=np.full(len(local), summer), nonexistent="NaT")
    return index.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[us]").copy()


def _second_pass(local: Times, repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of a repeated hour from the first step that is not forward on."""
    starts = repeated & ~np.r_[False, repeated[:-1]]
    back = repeated & np.r_[False, repeated[:-1]] & np.r_[False, np.diff(local) <= np.timedelta64(0)]
    steps = np.cumsum(back)
    before = np.maximum.accumulate(np.where(starts, steps - back, 0))
    return repeated & (steps > before)


def _tell(notes: Notes, where: ZoneInfo, skipped: int, repeated: int, second: int) -> None:
    if skipped:
        notes.assumed.append(
            f"the clock of {where.key} skipped {counted(skipped, 'time')}: read by the offset before the change"
        )
    if repeated:
        notes.assumed.append(
            f"the clock of {where.key} showed {counted(repeated, 'time')} of these twice: {repeated - second:,} are of "
            f"the hour's first pass, {second:,} of the second, which begins where the times step back"
        )


def from_utc(times: Times, where: ZoneInfo) -> Times:
    """What a clock on the wall shows."""
    return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(where).tz_localize(None).to_numpy("datetime64[us]")
