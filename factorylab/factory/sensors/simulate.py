"""Simulated machines: temperature, vibration and energy sensors, thousands in one process.

Reading n of sensor i is a function of (seed, i, n) alone: noise comes from a counter-based generator and not from
a stream, so blocks may be drawn in any order and by any number of processes. Simulated time is one reading = 10 s.

    temperature_c    base 65–72 + wander (sd 1.6) + day swing ±1.5 + noise 0.15; > 80 is rare without an anomaly
    velocity_mm_s    base 1.2–2.2 × log-normal wander; acceleration_g follows with noise (healthy about 0.06 g)
    energy_kwh       per 15 min; running 46–66, idle 3.1–3.5; shifts of 8 h out of 12, log-normal residual

The wander is smooth noise: Gaussian knots every 256 readings with linear interpolation, an Ornstein–Uhlenbeck
process's spread and correlation time without its dependence on the past.
Anomalies come in episodes of 20 readings: each stretch of 20 is anomalous with the probability `anomaly_rate`, so
that is also the share of anomalous readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from factorylab import messages
from factorylab.factory.sensors.base import Block, SensorInfo

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

EPISODE = 20
KNOT = 256
DRAW_AHEAD = 8_192
DAY = 8_640  # readings of 10 s
SHIFT = 4_320  # a shift pattern of 12 h, of which 8 h run
LINES = 4
ANOMALIES = {
    "temperature": ("overheating",),
    "vibration": ("imbalance", "bearing"),
    "energy": ("left_on", "spike"),
}


class Draw(NamedTuple):
    """Noise of some readings: `sensor` and `seq` are the counters, both int64 of equal length."""

    seed: int
    sensor: Ints
    seq: Ints

    def words(self, stream: int, every: int = 1, shift: int = 0) -> Words:
        """64 random bits each; readings of one stretch of `every` share them."""
        key = _mix(_mix(np.uint64(self.seed)) ^ np.uint64(stream))
        with np.errstate(over="ignore"):
            return _mix(_mix(self.sensor.astype(np.uint64) ^ key) + (self.seq // every + shift).astype(np.uint64))

    def uniform(self, stream: int, every: int = 1) -> Floats:
        """Uniform in [0, 1)."""
        share: Floats = (self.words(stream, every) >> np.uint64(11)).astype(np.float64)
        return share * 2.0**-53

    def normal(self, stream: int, every: int = 1, shift: int = 0) -> Floats:
        """About standard normal: the sum of four 16-bit uniforms (Irwin–Hall), within ±3.46."""
        parts = self.words(stream, every, shift).view(np.uint16).reshape(-1, 4)
        total: Floats = parts.sum(axis=1, dtype=np.float64)
        return (total / 65_536 - 2) * 3**0.5

    def wander(self, stream: int) -> Floats:
        """Slow, smooth and about standard normal at the knots."""
        share: Floats = self.seq % KNOT / KNOT
        return self.normal(stream, KNOT) * (1 - share) + self.normal(stream, KNOT, 1) * share


def _mix(word: Words | np.uint64) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014) after its increment."""
    with np.errstate(over="ignore"):
        z = np.asarray(word, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


class Drawn(NamedTuple):
    """Readings of one kind before they are encoded: columns by field name, and the anomaly of each ("" is none)."""

    columns: dict[str, Floats | Ints | NDArray[np.bool_]]
    anomaly: NDArray[np.str_]


def anomalies(draw: Draw, kind: str, rate: float) -> tuple[NDArray[np.str_], Floats]:
    """The anomaly of each reading, and how far into its episode it has built up (0 to 1)."""
    hit = draw.uniform(90, EPISODE) < rate
    names = np.array(ANOMALIES[kind])
    which = (draw.words(91, EPISODE) % np.uint64(len(names))).astype(np.int64)
    grown = np.clip((draw.seq % EPISODE + 1) / 4, 0, 1)
    return np.where(hit, names[which], ""), np.where(hit, grown, 0.0)


def temperature(draw: Draw, rate: float) -> Drawn:
    """Degrees Celsius; overheating rises to a peak between 85 and 110 within four readings."""
    anomaly, grown = anomalies(draw, "temperature", rate)
    base = 65 + 7 * Draw(draw.seed, draw.sensor, draw.seq * 0).uniform(1)
    swing = 1.5 * np.sin(2 * np.pi * (draw.seq / DAY + Draw(draw.seed, draw.sensor, draw.seq * 0).uniform(2)))
    normal = base + 1.6 * draw.wander(3) + swing + 0.15 * draw.normal(4)
    peak = 85 + 25 * draw.uniform(5, EPISODE) + 0.15 * draw.normal(6)
    return Drawn({"temperature_c": np.round(normal + grown * (peak - normal), 3)}, anomaly)


def vibration(draw: Draw, rate: float) -> Drawn:
    """mm/s and g; an imbalance raises the velocity, a bearing fault mostly the acceleration."""
    anomaly, grown = anomalies(draw, "vibration", rate)
    base = 1.2 + Draw(draw.seed, draw.sensor, draw.seq * 0).uniform(1)
    velocity = base * np.exp(0.12 * draw.wander(3) + 0.04 * draw.normal(4))
    strength = grown * (4 + 5 * draw.uniform(5, EPISODE))
    velocity = velocity + strength * np.where(anomaly == "imbalance", 1.0, 0.6)
    acceleration = 0.03 * velocity + 0.01 * np.exp(0.3 * draw.normal(7)) + 0.1 * strength * (anomaly == "bearing")
    impulses = strength * (anomaly == "bearing")
    columns = {
        "velocity_mm_s": np.round(velocity, 3),
        "acceleration_g": np.round(acceleration, 4),
        "crest_factor": np.round(4.2 + 0.2 * draw.normal(8) + 0.3 * impulses, 3),
        "kurtosis": np.round(2.95 + 0.08 * draw.normal(9) + 0.5 * impulses, 3),
        "load_percent": np.round(80 + 8 * draw.wander(3), 1),
    }
    return Drawn(columns, anomaly)


def energy(draw: Draw, rate: float) -> Drawn:
    """kWh; left on: a machine that does not run takes 12–20, spike: 90–140 in whatever state."""
    anomaly, grown = anomalies(draw, "energy", rate)
    phase = Draw(draw.seed, draw.sensor, draw.seq * 0).words(1) % np.uint64(SHIFT)
    runs = (draw.seq + phase.astype(np.int64)) % SHIFT < SHIFT * 2 // 3
    load = np.where(runs, 56 + 4 * draw.wander(3), 3.3 + 0.1 * draw.wander(3)) * np.exp(0.03 * draw.normal(4))
    size = draw.uniform(5, EPISODE)
    spike, left_on = (anomaly == "spike"), (anomaly == "left_on")
    load = np.where(spike, load + grown * (90 + 50 * size), load)
    load = np.where(left_on, 12 + 8 * size + 0.1 * draw.normal(6), load)
    hour = (draw.seq // 4) % 168
    return Drawn({"energy_kwh": np.round(load, 3), "running": runs & ~left_on, "hour_of_week": hour}, anomaly)


DRAWS = {"temperature": temperature, "vibration": vibration, "energy": energy}


class Ahead(NamedTuple):
    """Readings `first`, `first + 1`, … drawn in advance: their measures, and the anomalies by reading number."""

    first: int
    measures: list[messages.Measures]
    anomalies: list[tuple[int, str]]


class Simulation:
    """Sensors `index, index + count, …` of a factory of `sensors` sensors; all of them take turns.

    Reading n is the `n // len(sensors)`-th of sensor `n % len(sensors)`. Measures are drawn ahead in large
    pieces, because numpy needs long arrays to be fast.
    """

    def __init__(
        self, *, sensors: int, kinds: Sequence[str], seed: int, anomaly_rate: float, index: int, count: int
    ) -> None:
        self.sensors: Sequence[SensorInfo] = [describe(i, kinds[i % len(kinds)]) for i in range(index, sensors, count)]
        self._seed, self._anomaly_rate = seed, anomaly_rate
        self._index = np.array([s.index for s in self.sensors], np.int64)
        self._kind = np.array([s.kind for s in self.sensors])
        self._makers = [messages.CONSTRUCTORS[s.kind][0] for s in self.sensors]
        self._ahead = Ahead(0, [], [])

    @property
    def total(self) -> int | None:
        """It never ends."""
        return None

    def block(self, first: int, count: int, timestamp: str) -> Block:
        """Readings `first` ≤ n < `first + count`, all with the same time."""
        number = np.arange(first, first + count, dtype=np.int64)
        local, seq = number % len(self.sensors), number // len(self.sensors)
        sensors, makers = self.sensors, self._makers
        measures, anomalies = self._drawn(first, count)
        readings = [
            makers[at](
                timestamp=timestamp, sensor_id=sensors[at].name, location=sensors[at].location, seq=n, readings=measure
            )
            for at, n, measure in zip(local.tolist(), seq.tolist(), measures, strict=True)
        ]
        labels = [
            messages.Label(sensor_id=readings[n - first].sensor_id, seq=readings[n - first].seq, anomaly=anomaly)
            for n, anomaly in anomalies
        ]
        return Block(local, seq, readings, labels)

    def _drawn(self, first: int, count: int) -> tuple[list[messages.Measures], list[tuple[int, str]]]:
        measures: list[messages.Measures] = []
        anomalies: list[tuple[int, str]] = []
        while len(measures) < count:
            at = first + len(measures)
            if not 0 <= at - self._ahead.first < len(self._ahead.measures):
                self._ahead = self._draw(at)
            skip = at - self._ahead.first
            piece = self._ahead.measures[skip : skip + count - len(measures)]
            measures += piece
            anomalies += [(n, anomaly) for n, anomaly in self._ahead.anomalies if at <= n < at + len(piece)]
        return measures, anomalies

    def _draw(self, first: int) -> Ahead:
        number = np.arange(first, first + DRAW_AHEAD, dtype=np.int64)
        local, seq = number % len(self.sensors), number // len(self.sensors)
        ahead = Ahead(first, [messages.Temperature(0.0)] * len(number), [])
        for kind, draw_kind in DRAWS.items():
            rows = np.flatnonzero(self._kind[local] == kind)
            if not len(rows):
                continue
            drawn = draw_kind(Draw(self._seed, self._index[local[rows]], seq[rows]), self._anomaly_rate)
            measure = messages.CONSTRUCTORS[kind][1]
            values = map(measure, *(column.tolist() for column in drawn.columns.values()))
            for row, value in zip(rows.tolist(), values, strict=True):
                ahead.measures[row] = value
            wrong = np.flatnonzero(drawn.anomaly != "")
            ahead.anomalies.extend(zip((first + rows[wrong]).tolist(), drawn.anomaly[wrong].tolist(), strict=True))
        return ahead


def describe(index: int, kind: str) -> SensorInfo:
    """Name and place of sensor `index`."""
    return SensorInfo(index, f"{kind}-{index:05d}", kind, f"line-{index % LINES + 1}")
