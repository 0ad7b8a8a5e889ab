"""What detectors share: a state of constant size a sensor, and a rule that is applied to one reading after the other.

Rules use nothing but IEEE additions, multiplications, divisions, square roots and comparisons, in a fixed order, and
see the readings in the order of the log: where batches begin and end changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from factorylab.detectors.compiled import compiled
from factorylab.detectors.levels import Floats, Ints, Rule

State = NDArray[Any]  # a structured array, one row a sensor (or a sensor and bin)


class Parameters(BaseModel):
    """Of one detector; each field is documented where it stands, with its source."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)  # a loop is compiled once a type


class Detector(ABC):
    """Turns readings into scores; `rules` says which scores are worth an alert.

    To add one: a subclass in a file of its own in this package, with `NAME`, `Parameters`, `walk`, `rules` and, where
    it has state, `layout`. It is then in the table of parameters, in `factorylab score`, and its state is saved;
    `rules.py` says where the factory uses it.
    """

    NAME: ClassVar[str]
    BINS: ClassVar[int] = 1  # states a sensor has at most, see `score`
    MULTICHANNEL: ClassVar[bool] = False  # does it look at several channels of a sensor together?
    Parameters: ClassVar[type[Parameters]]

    def __init__(self, parameters: Any, channels: int = 1) -> None:
        self.parameters = parameters
        self.channels = channels
        self._keys = np.zeros(0, np.int32)  # by row of state
        self._row_of = np.zeros(0, np.int32)  # by key; -1 where there is none
        self.state: State = np.zeros(0, self.layout())
        self._changed = np.zeros(0, bool)  # by row of state: since `changes` was last asked

    def layout(self) -> np.dtype[Any]:
        """The fields of one row of state, little-endian; a new row is all zeros."""
        return np.dtype([])

    @abstractmethod
    def walk(self, state: State, rows: Ints, values: Floats, scores: Floats) -> None:
        """Score readings in their order: `scores[i]` of `values[i]`, whose sensor's state is `state[rows[i]]` and is
        changed after scoring.

        `values` has the shape (readings,), or (readings, channels) for several channels. Without state there are no
        rows to look at.
        """

    @abstractmethod
    def rules(self, prefix: str) -> tuple[Rule, ...]:
        """What the scores must exceed; names begin with `prefix`."""

    @property
    def warm_up(self) -> int:
        """Readings of a sensor that are only learnt from: it raises nothing yet."""
        return 0

    def score(self, sensors: Ints, values: Floats, bins: Ints | None = None) -> Floats:
        """Scores of readings in order. With `bins` (0 ≤ bin < BINS) each sensor has a state per bin."""
        rows, scores = np.zeros(0, np.int64), np.zeros(len(values))
        if self.state.dtype.itemsize:
            rows = self._rows(sensors if bins is None else sensors * self.BINS + bins)
            self._changed[rows] = True
        self.walk(self.state, rows, np.ascontiguousarray(values, np.float64), scores)
        return scores

    def _rows(self, keys: Ints) -> Ints:
        """The row of state of each key (≥ 0); new keys get new rows."""
        short = int(keys.max(initial=-1)) + 1 - len(self._row_of)
        if short > 0:
            self._row_of = np.concatenate([self._row_of, np.full(short, -1, np.int32)])
        rows = self._row_of[keys]
        if rows.min(initial=0) < 0:
            self._add(np.unique(keys[rows < 0]))
            rows = self._row_of[keys]
        return rows.astype(np.int64)

    def _add(self, keys: Ints) -> None:
        self._row_of[keys] = np.arange(len(self._keys), len(self._keys) + len(keys))
        self._keys = np.concatenate([self._keys, keys.astype(np.int32)])
        short = len(self._keys) - len(self.state)
        if short > 0:  # with room for as many again: growing costs a copy
            room = short + len(self._keys)
            self.state = np.concatenate([self.state, np.zeros(room, self.layout())])
            self._changed = np.concatenate([self._changed, np.zeros(room, bool)])

    def dump(self) -> tuple[bytes, bytes]:
        """Keys and rows of state, bit for bit."""
        return self._keys.astype("<i4").tobytes(), self.state[: len(self._keys)].tobytes()

    def changes(self) -> tuple[bytes, bytes]:
        """Like `dump`, but only the rows that were fed since the last call."""
        rows = np.flatnonzero(self._changed)
        self._changed[rows] = False
        return self._keys[rows].astype("<i4").tobytes(), self.state[rows].tobytes()

    def load(self, keys: bytes, rows: bytes) -> None:
        """Let a new detector go on from a dump, and from the changes after it, in their order.

        Raises:
            ValueError: the rows have another layout.
        """
        found, layout = np.frombuffer(keys, "<i4"), self.layout()
        if len(rows) != len(found) * layout.itemsize:
            raise ValueError(f"state of the detector {self.NAME} has another layout than this program's")
        if rows:
            at = self._rows(found.astype(np.int64))  # may make room, so first
            self.state[at] = np.frombuffer(rows, layout)


MOMENTS: list[tuple[str, str]] = [("n", "<i8"), ("mean", "<f8"), ("variance", "<f8")]  # fields of a state


class Moments(NamedTuple):
    """How much was learnt of a sensor, its mean and its variance."""

    n: int
    mean: float
    variance: float


@compiled
def learnt(known: Moments, value: float, alpha: float, clip: float, warm_up: int) -> Moments:
    """One step of the exponentially weighted mean and variance (West 1979, Finch 2009):

        e = x − m; m += αe; s² = (1−α)(s² + αe²)

    α is 1/n until that falls below `alpha`, so the first readings weigh alike. After `warm_up` readings e is clipped
    to ±`clip` s: one wild reading must not widen the limits that are to catch the next (not while s is 0).
    """
    n, error, spread = known.n + 1, value - known.mean, np.sqrt(known.variance)
    weight = max(alpha, 1 / n)
    if n > warm_up and spread > 0:
        error = min(max(error, -clip * spread), clip * spread)
    return Moments(n, known.mean + weight * error, (1 - weight) * (known.variance + weight * error * error))


@compiled
def standardised(known: Moments, value: float, warm_up: int) -> float:
    """(x − m) / s; 0 until `warm_up` readings were learnt, and where s is 0."""
    spread = np.sqrt(known.variance)
    return float((value - known.mean) / spread) if known.n >= max(warm_up, 1) and spread > 0 else 0.0
