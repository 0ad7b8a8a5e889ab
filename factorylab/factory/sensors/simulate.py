"""Simulated machines: temperature, vibration and energy sensors, thousands in one process.

What a machine does is in `temperature`, `vibration` and `energy`, what its sensor makes of it in `sensor_faults`, and
when something is wrong in `anomalies`. Reading n of a sensor depends on the seed, the sensor and n alone (`noise`).
The plant's time is counted in readings (5 min, energy 15 min) and has nothing to do with the clock's: the fleet's rate
decides how fast it passes. Readings carry the clock's time, because they are what the factory monitors now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from factorylab.core import messages
from factorylab.core.names import sensor_location, sensor_name
from factorylab.factory.sensors.anomalies import Episodes, episodes
from factorylab.factory.sensors.energy_sensor import ENERGY
from factorylab.factory.sensors.noise import Draw, Ints
from factorylab.factory.sensors.sensor import Block, SensorInfo
from factorylab.factory.sensors.sensor_faults import LATE_S, distort
from factorylab.factory.sensors.signal import Columns, SignalModel
from factorylab.factory.sensors.temperature_sensor import TEMPERATURE
from factorylab.factory.sensors.vibration_sensor import VIBRATION

DRAW_AHEAD = 16_384  # slots at once: a draw costs about 3 ms, however few, and what is due meanwhile waits for it
MISSING = "missing"  # the fault of a sensor that is silent
MODELS: Mapping[str, SignalModel] = {"temperature": TEMPERATURE, "vibration": VIBRATION, "energy": ENERGY}


def columns(kind: str, draw: Draw, found: Sequence[Episodes]) -> Columns:
    """What sensors of one kind report, faults of machines and sensors included."""
    drawn = MODELS[kind].report(draw, found)
    distort(drawn, found, MODELS[kind])
    return drawn


@dataclass
class Ahead:
    """Slots `first`, `first + 1`, … drawn in advance: what is measured (None: missing), late stamps, new episodes."""

    first: int
    measures: list[messages.Measures | None]
    late: set[int] = field(default_factory=set)
    labels: list[tuple[int, messages.Label]] = field(default_factory=list)

    def draw(self, kind: str, rows: Ints, draw: Draw, rate: float) -> None:
        """Fill the rows that belong to sensors of one kind."""
        found = episodes(draw, kind, rate)
        make = messages.CONSTRUCTORS[kind][1]
        values = map(make, *(column.tolist() for column in columns(kind, draw, found).values()))
        for row, value in zip(rows.tolist(), values, strict=True):
            self.measures[row] = value
        for group in found:
            slots = rows[group.rows]
            if group.anomaly.name == MISSING:
                for row in slots.tolist():
                    self.measures[row] = None
            if group.anomaly.name == "clock_back":
                self.late.update((self.first + slots).tolist())
            for at in np.flatnonzero(group.since == 0).tolist():
                self.labels.append((self.first + int(slots[at]), label(group, at, kind)))


def label(group: Episodes, at: int, kind: str) -> messages.Label:
    """The label of the episode that row `at` of the group lies in."""
    first, length = int(group.start[at]), int(group.length[at])
    return messages.Label(
        sensor_id=describe(int(group.draw.sensor[at]), kind).name,
        anomaly=group.anomaly.name,
        origin=group.anomaly.origin,
        first_seq=first,
        last_seq=first + length - 1,
    )


class Simulation:
    """Sensors `index, index + count, …` of a factory of `sensors` sensors; all of them take turns.

    Slot n is the `n // len(sensors)`-th of sensor `n % len(sensors)`, and that is its reading's seq.
    """

    def __init__(
        self, *, sensors: int, kinds: Sequence[str], seed: int, anomaly_rate: float, index: int, count: int
    ) -> None:
        self.sensors: Sequence[SensorInfo] = [describe(i, kinds[i % len(kinds)]) for i in range(index, sensors, count)]
        self._seed, self._anomaly_rate = seed, anomaly_rate
        self._index = np.array([s.index for s in self.sensors], np.int64)
        self._kind = np.array([s.kind for s in self.sensors])
        self._makers = [messages.CONSTRUCTORS[s.kind][0] for s in self.sensors]
        self._ahead = Ahead(0, [])

    @property
    def total(self) -> int | None:
        """It never ends."""
        return None

    def filled(self, first: int, count: int) -> tuple[Ints, Ints]:
        """(local, seq) of the slots that hold a reading: all but those of sensors that are silent."""
        local, seq, there = *self._turns(first, count), np.ones(count, bool)
        for kind, rows, draw in self._kinds(local, seq):
            silent = [group.rows for group in episodes(draw, kind, self._anomaly_rate) if group.anomaly.name == MISSING]
            there[rows[np.concatenate([np.empty(0, np.int64), *silent])]] = False
        return local[there], seq[there]

    def _turns(self, first: int, count: int) -> tuple[Ints, Ints]:
        """(local, seq) of slots."""
        number = np.arange(first, first + count, dtype=np.int64)
        return number % len(self.sensors), number // len(self.sensors)

    def _kinds(self, local: Ints, seq: Ints) -> Iterator[tuple[str, Ints, Draw]]:
        """The slots of each kind of sensor: which they are, and their draw."""
        for kind in MODELS:
            rows = np.flatnonzero(self._kind[local] == kind)
            if len(rows):
                yield kind, rows, Draw(self._seed, self._index[local[rows]], seq[rows])

    def block(self, first: int, count: int, timestamp: str) -> Block:
        """Slots `first` ≤ n < `first + count`, all with the same time but for clocks that are wrong."""
        measures: list[messages.Measures | None] = []
        labels: list[messages.Label] = []
        late: set[int] = set()
        while len(measures) < count:
            at = first + len(measures)
            ahead = self._at(at)
            skip = at - ahead.first
            piece = ahead.measures[skip : skip + count - len(measures)]
            measures += piece
            labels += [told for n, told in ahead.labels if at <= n < at + len(piece)]
            late |= ahead.late
        return self._block(first, measures, labels, late, timestamp)

    def _block(
        self,
        first: int,
        measures: Sequence[messages.Measures | None],
        labels: list[messages.Label],
        late: set[int],
        timestamp: str,
    ) -> Block:
        number = np.arange(first, first + len(measures), dtype=np.int64)
        there = [measure for measure in measures if measure is not None]
        if len(there) < len(measures):
            number = number[[measure is not None for measure in measures]]
        local, seq = number % len(self.sensors), number // len(self.sensors)
        sensors, makers = self.sensors, self._makers
        stamps = [timestamp] * len(number)
        if late:
            moment = datetime.fromisoformat(timestamp) - timedelta(seconds=LATE_S)
            behind = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
            stamps = [behind if n in late else timestamp for n in number.tolist()]
        readings = [
            makers[at](
                timestamp=stamp, sensor_id=sensors[at].name, location=sensors[at].location, seq=n, readings=measure
            )
            for at, n, stamp, measure in zip(local.tolist(), seq.tolist(), stamps, there, strict=True)
        ]
        return Block(local, seq, readings, labels)

    def _at(self, slot: int) -> Ahead:
        """The drawn slots that `slot` is one of."""
        if not 0 <= slot - self._ahead.first < len(self._ahead.measures):
            self._ahead = Ahead(slot, [None] * DRAW_AHEAD)
            for kind, rows, draw in self._kinds(*self._turns(slot, DRAW_AHEAD)):
                self._ahead.draw(kind, rows, draw, self._anomaly_rate)
        return self._ahead


def describe(index: int, kind: str) -> SensorInfo:
    """Name and place of sensor `index`."""
    return SensorInfo(index, sensor_name(index, kind), kind, sensor_location(index))
