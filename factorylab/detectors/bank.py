"""A bank: all detectors of one partition, with the state that is saved in the same transaction as its readings.

A sensor is known by its name and gets a slot on first sight. A reading whose seq is not above the sensor's last
is not scored: a re-sent or late reading raises nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from factorylab.detectors.levels import Floats, Ints, Level, LevelDetector, Rule, Track
from factorylab.detectors.rules import RULES, Columns

VERSION = 1


@dataclass(frozen=True)
class Event:
    """Something to raise an alert about: the reading's row in the batch, and what it exceeded."""

    row: int
    rule: Rule
    level: Level
    value: float


class _State(msgspec.Struct, array_like=True):
    version: int
    names: list[str]
    last_seq: bytes  # int64, little-endian, by slot
    tracks: dict[str, list[tuple[int, list[int], list[bool]]]]  # rule → (slot, above, active)


_state_decoder = msgspec.msgpack.Decoder(_State)
_encode_state = msgspec.msgpack.Encoder().encode


class Bank:
    """Detectors of one partition. `names[slot]` is the sensor in a slot."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slots: dict[str, int] = {}
        self._last_seq = np.empty(0, np.int64)
        self._detectors = {
            kind: [(LevelDetector(rule), measure) for rule, measure in rules] for kind, rules in RULES.items()
        }

    def slots(self, names: Sequence[str]) -> Ints:
        """The slot of each name; new names get new slots."""
        known = self._slots
        try:
            return np.fromiter(map(known.__getitem__, names), np.int64, len(names))
        except KeyError:
            for name in names:
                if name not in known:
                    known[name] = len(self.names)
                    self.names.append(name)
            new = np.full(len(self.names) - len(self._last_seq), -1, np.int64)
            self._last_seq = np.concatenate([self._last_seq, new])
            return self.slots(names)

    def fresh(self, slots: Ints, seqs: Ints) -> Ints:
        """Rows whose seq is above all earlier ones of their sensor; remembers the highest."""
        if not len(slots):
            return slots
        order = np.argsort(slots, kind="stable")
        sensor, seq = slots[order], seqs[order]
        first = np.r_[True, sensor[1:] != sensor[:-1]]
        before = np.where(first, self._last_seq[sensor], np.r_[-1, seq[:-1]])
        ascending = bool((seq > before).all())  # the usual case
        rows = np.arange(len(slots)) if ascending else self._fresh_one_by_one(slots, seqs)
        np.maximum.at(self._last_seq, slots, seqs)
        return rows

    def _fresh_one_by_one(self, slots: Ints, seqs: Ints) -> Ints:
        last = self._last_seq.tolist()
        rows = []
        for row, (slot, seq) in enumerate(zip(slots.tolist(), seqs.tolist(), strict=True)):
            if seq > last[slot]:
                last[slot] = seq
                rows.append(row)
        return np.array(rows, np.int64)

    def score(self, kind: str, slots: Ints, columns: Columns) -> list[Event]:
        """Feed fresh readings of one kind in log order; rows of the events count within these readings."""
        events = []
        for detector, measure in self._detectors[kind]:
            values: Floats = measure(columns)
            for row, level in detector.score(slots, values):
                events.append(Event(row, detector.rule, level, float(values[row])))
        return events

    def dump(self) -> bytes:
        """The state, to be saved with the position that it belongs to."""
        tracks = {
            f"{d.rule.name}.v{d.rule.version}": [(slot, t.above, t.active) for slot, t in d.tracks.items()]
            for detectors in self._detectors.values()
            for d, _ in detectors
            if d.tracks
        }
        return _encode_state(_State(VERSION, self.names, self._last_seq.astype("<i8").tobytes(), tracks))

    @classmethod
    def load(cls, blob: bytes | None) -> Bank:
        """A bank that goes on where `dump` was made; a new one for None. Tracks of other rule versions are dropped.

        Raises:
            ValueError: the state was saved in another format.
        """
        bank = cls()
        if blob is None:
            return bank
        state = _state_decoder.decode(blob)
        if state.version != VERSION:
            raise ValueError(f"detector state has version {state.version}, this program reads {VERSION}")
        bank.slots(state.names)
        bank._last_seq = np.frombuffer(state.last_seq, "<i8").astype(np.int64)
        for detectors in bank._detectors.values():
            for detector, _ in detectors:
                saved = state.tracks.get(f"{detector.rule.name}.v{detector.rule.version}", [])
                detector.tracks = {slot: Track(above, active) for slot, above, active in saved}
        return bank
