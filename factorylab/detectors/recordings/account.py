"""What became of a file: the channels, the span, the interval, and everything that was left out or assumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

UNITS_S = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1), ("ms", 1e-3), ("µs", 1e-6))
MANY = 12


@dataclass
class Notes:
    """Filled in while a file is read."""

    left_out: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def copy(self) -> Notes:
        return Notes([*self.left_out], [*self.assumed])


@dataclass(frozen=True)
class Account:
    """`rows` were read and `kept` of them are in the recording; times are UTC; `left_out` are rows and columns.

    `file` is its name alone: accounts are handed on, and where a file lies is this machine's own business.
    """

    recording: str
    file: str
    rows: int
    kept: int
    channels: tuple[str, ...]
    label: str | None
    times: str
    first: str
    last: str
    interval_s: float | None
    left_out: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people: one line of figures, and below it what they must know."""
        every = "no interval" if self.interval_s is None else f"every {duration(self.interval_s)}"
        rows = counted(self.kept, "row") if self.kept == self.rows else f"{self.kept:,} of {counted(self.rows, 'row')}"
        label = f"; label: {self.label}" if self.label else ""
        return [
            f"{self.recording}: {rows}, {self.first} to {self.last} UTC, {every}",
            f"  channels: {listed(self.channels)}{label}; times: {self.times}",
            *(f"  left out: {what}" for what in self.left_out),
            *(f"  note: {what}" for what in self.assumed),
        ]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def duration(seconds: float) -> str:
    """In the largest unit of which it is one or more: 300 → 5 min."""
    for unit, size in UNITS_S:
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.3g} s"


def counted(count: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: tuple[str, ...] | list[str]) -> str:
    """The first dozen, and how many more there are."""
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def moment(time: np.datetime64) -> str:
    """To the second, or to the microsecond where there is a part of one."""
    whole = time.astype("datetime64[s]")
    return str(whole if whole == time else time.astype("datetime64[us]")).replace("T", " ")


def interval_of(times: NDArray[np.datetime64]) -> float | None:
    """The median of the positive steps in seconds; None where no time is later than the one before."""
    steps = np.diff(times) / np.timedelta64(1, "s")
    ahead = steps[steps > 0]
    return float(np.median(ahead)) if len(ahead) else None
