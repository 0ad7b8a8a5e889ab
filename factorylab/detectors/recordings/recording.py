"""A recording in memory: times, values, and what is known to be wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Account, interval_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.datetime64]
Window = tuple[np.datetime64, np.datetime64]


@dataclass(frozen=True)
class Recording:
    """`values` has the shape (rows, channels). `truth` says per row whether something is wrong; None: nobody knows.

    `windows` are the faults as stretches of time, where they are given as such. Only rows in `scored` count. `times`
    are UTC; `clock` are those of the plant's wall, where its time zone is known.
    """

    name: str
    times: Times
    values: Floats
    channels: tuple[str, ...]
    truth: Bools | None
    windows: tuple[Window, ...] | None
    scored: Bools
    clock: Times | None = None
    account: Account | None = None

    @property
    def interval_s(self) -> float:
        """The usual time between two rows.

        Raises:
            UsageError: no time is later than the one before.
        """
        found = interval_of(self.times)
        if found is None:
            raise UsageError(f"{self.name}: no time in it is later than the one before: which column holds the times?")
        return found

    def part(self, part: str) -> Recording:
        """The same with only the first or the second half of its rows scored; a detector still sees all before."""
        half = np.arange(len(self.times)) < len(self.times) // 2
        chosen = {"all": np.ones(len(half), bool), "first-half": half, "second-half": ~half}
        if part not in chosen:
            raise UsageError(f"no part {part!r} of a recording: one of {', '.join(chosen)}")
        return replace(self, scored=self.scored & chosen[part])
