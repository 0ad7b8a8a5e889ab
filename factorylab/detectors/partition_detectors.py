"""All detectors of one partition, with the state that is saved in the same transaction as its readings.

A sensor is known by its name and gets a slot on first sight. A reading whose seq is not above the sensor's last
is not scored: a re-sent or late reading raises nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from factorylab.core.messages import SENSOR_KINDS
from factorylab.detectors.levels import Ints, Level, LevelDetector, Rule, Track
from factorylab.detectors.rules import Columns, RuleSet, watches
from factorylab.detectors.saved_state import VERSION, Part, PartState, decode, encode
from factorylab.detectors.streaming import Detector


@dataclass(frozen=True)
class Event:
    """Something to raise an alert about: the reading's row in the batch, what it exceeded, and by which score.

    `value` is the measure itself for a rule on a measure, and the detector's score for a rule on scores.
    """

    row: int
    rule: Rule
    level: Level
    value: float


class PartitionDetectors:
    """Detectors of one partition. `names[slot]` is the sensor in a slot."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slots: dict[str, int] = {}
        self._last_seq = np.empty(0, np.int64)
        self._changed = np.zeros(0, bool)  # by slot: since the last save
        self._saved_names = 0
        self._parts: list[int] = []  # bytes of each part since the last whole state
        self._watches: dict[str, list[tuple[RuleSet, list[LevelDetector]]]] = {
            kind: [(watch, [LevelDetector(rule) for rule in watch.rules]) for watch in watches(kind)]
            for kind in SENSOR_KINDS
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
            new = len(self.names) - len(self._last_seq)
            self._last_seq = np.concatenate([self._last_seq, np.full(new, -1, np.int64)])
            self._changed = np.concatenate([self._changed, np.zeros(new, bool)])
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
        self._changed[slots] = True
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
        """Feed fresh readings of one kind in log order; rows of the events count within these readings.

        `columns` holds the kind's measures and `seq`, all of the length of `slots`.
        """
        events = []
        for watch, levels in self._watches[kind]:
            scores = watch.measure(columns)
            if watch.detector is not None:
                scores = watch.detector.score(slots, scores, watch.bins and watch.bins(columns))
            for level_detector in levels:
                for row, level in level_detector.score(slots, scores):
                    events.append(Event(row, level_detector.rule, level, float(scores[row])))
        return events

    def _each_level(self) -> Iterator[tuple[str, LevelDetector]]:
        for watched in self._watches.values():
            for _, levels in watched:
                yield from ((f"{level.rule.name}.v{level.rule.version}", level) for level in levels)

    def _each_detector(self) -> Iterator[tuple[str, Detector]]:
        for watched in self._watches.values():
            for watch, _ in watched:
                if watch.detector is not None:
                    yield f"{watch.name}.v{watch.rules[0].version}", watch.detector

    def save(self) -> Part:
        """The next part of the state, to be saved with the position that it belongs to.

        Where it cannot be saved, the detectors must be given up: later parts build on it.
        """
        part = Part(len(self._parts), self._changes())
        if sum(self._parts[1:]) + len(part.data) > sum(self._parts[:1]):
            part, self._parts = Part(0, self.dump()), []
        self._parts.append(len(part.data))
        return part

    def dump(self) -> bytes:
        """The whole state."""
        scores = {name: detector.dump() for name, detector in self._each_detector() if detector.state.size}
        return encode(PartState(VERSION, self.names, _int64(self._last_seq), self._tracks(), scores))

    def _changes(self) -> bytes:
        """What has changed since the last call."""
        slots = np.flatnonzero(self._changed)
        self._changed[slots] = False
        new, self._saved_names = self.names[self._saved_names :], len(self.names)
        scores = {name: detector.changes() for name, detector in self._each_detector() if detector.state.size}
        return encode(
            PartState(
                VERSION,
                new,
                _int64(self._last_seq[slots]),
                self._tracks(),
                scores,
                len(self._parts),
                slots.astype("<i4").tobytes(),
            )
        )

    def _tracks(self) -> dict[str, list[tuple[int, list[int], list[bool]]]]:
        return {
            name: [(slot, t.above, t.active) for slot, t in level.tracks.items()]
            for name, level in self._each_level()
            if level.tracks
        }

    @classmethod
    def load(cls, parts: Sequence[bytes]) -> PartitionDetectors:
        """Detectors that go on where the last of the `parts` was saved; new ones for none. State of other rule versions
        is dropped.

        Raises:
            ValueError: a part was saved in another format, or one is missing.
        """
        detectors = cls()
        for number, data in enumerate(parts):
            detectors._apply(decode(number, data))
        return detectors

    def _apply(self, state: PartState) -> None:
        self.slots(state.names)
        last_seq = np.frombuffer(state.last_seq, "<i8")
        slots = np.frombuffer(state.slots, "<i4") if state.number else np.arange(len(last_seq))
        self._last_seq[slots] = last_seq
        for name, level in self._each_level():
            level.tracks = {slot: Track(above, active) for slot, above, active in state.tracks.get(name, [])}
        for name, detector in self._each_detector():
            if name in state.scores:
                detector.load(*state.scores[name])


def _int64(values: Ints) -> bytes:
    return values.astype("<i8").tobytes()
