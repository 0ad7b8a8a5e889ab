"""What detectors share: a state of constant size a sensor, and readings fed in rounds.

A round holds at most one reading of each sensor, so a step over a whole round is vectorised and yet exact and
sequential for each sensor. Steps use nothing but IEEE additions, multiplications, divisions, square roots and
comparisons, which give the same bits for one reading as for a thousand: where batches begin and end changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from factorylab.detectors.levels import Floats, Ints, Rule

State = NDArray[Any]  # a structured array, one row a sensor (or a sensor and bin)


class Parameters(BaseModel):
    """Of one detector; each field is documented where it stands, with its source."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def rounds(sensors: Ints) -> list[Ints]:
    """Rows by how many rows of the same sensor come before them: the first of each sensor, the second, …"""
    if not len(sensors):
        return []
    order = np.argsort(sensors, kind="stable")
    in_order = sensors[order]
    first = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
    nth = np.arange(len(sensors)) - np.repeat(first, np.diff(np.r_[first, len(sensors)]))
    by_nth = np.argsort(nth, kind="stable")
    return np.split(order[by_nth], np.cumsum(np.bincount(nth))[:-1])


class Detector(ABC):
    """Turns readings into scores; `rules` says which scores are worth an alert.

    To add one: a subclass in a file of its own in this package, with `NAME`, `Parameters`, `step`, `rules` and, where
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
    def step(self, state: State, values: Floats) -> Floats:
        """Scores of one round; `state` (one row a reading) is changed in place, after scoring.

        `values` has the shape (readings,), or (readings, channels) for several channels. A detector without state
        gets all readings at once.
        """

    @abstractmethod
    def rules(self, prefix: str) -> tuple[Rule, ...]:
        """What the scores must exceed; names begin with `prefix`."""

    @property
    def warm_up(self) -> int:
        """Readings of a sensor that are only learnt from: it raises nothing yet."""
        return 0

    def score(self, sensors: Ints, values: Floats, bins: Ints | None = None, fed: list[Ints] | None = None) -> Floats:
        """Scores of readings in order.

        With `bins` (0 ≤ bin < BINS) each sensor has a state per bin. `fed` are the rounds of `sensors`, where the
        caller has them already.
        """
        if not self.state.dtype.itemsize:
            return self.step(self.state, values)
        rows_of = self._rows(sensors if bins is None else sensors * self.BINS + bins)
        self._changed[rows_of] = True
        scores = np.zeros(len(sensors))
        for rows in rounds(sensors) if fed is None else fed:
            at = rows_of[rows]
            state = self.state[at]
            scores[rows] = self.step(state, values[rows])
            self.state[at] = state
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


MOMENTS: list[tuple[str, str]] = [("n", "<i8"), ("mean", "<f8"), ("variance", "<f8")]


def learn(state: State, values: Floats, alpha: float, clip: float, warm_up: int) -> None:
    """One step of the exponentially weighted mean and variance in the fields of `MOMENTS` (West 1979, Finch 2009):

        e = x − m; m += αe; s² = (1−α)(s² + αe²)

    α is 1/n until that falls below `alpha`, so the first readings weigh alike. After `warm_up` readings e is clipped
    to ±`clip` s: one wild reading must not widen the limits that are to catch the next (not while s is 0).
    """
    state["n"] += 1
    weight = np.maximum(alpha, 1 / state["n"])
    error = values - state["mean"]
    spread = np.sqrt(state["variance"])
    bound = np.where((state["n"] > warm_up) & (spread > 0), clip * spread, np.inf)
    error = np.minimum(np.maximum(error, -bound), bound)
    state["mean"] += weight * error
    state["variance"] = (1 - weight) * (state["variance"] + weight * error * error)


def standardised(state: State, values: Floats, warm_up: int) -> Floats:
    """(x − m) / s by the fields of `MOMENTS`; 0 until `warm_up` readings were learnt, and where s is 0."""
    spread = np.sqrt(state["variance"])
    known = (state["n"] >= max(warm_up, 1)) & (spread > 0)
    return np.where(known, (values - state["mean"]) / np.where(known, spread, 1.0), 0.0)
