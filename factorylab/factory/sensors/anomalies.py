"""Which readings are anomalous: machine faults and sensor faults, in episodes, by seed.

A sensor's readings are cut into stretches of 256. A stretch holds one episode or none; an episode lies within its
stretch, so episodes of a sensor never overlap. Half of the episodes are faults of the machine, half of the sensor;
kinds are equally likely, lengths uniform between the limits below.

`rate` is the share of anomalous readings in the long run. It cannot exceed the share that episodes fill when each
stretch holds one (about a fifth to a quarter, see `most`); a higher rate means that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factorylab.core.messages import Origin
from factorylab.factory.sensors.noise import Draw, Floats, Ints

STRETCH = 256
_HIT, _ORIGIN, _WHICH, _LENGTH, _START = range(900, 905)  # streams of noise


@dataclass(frozen=True)
class Anomaly:
    """A kind of fault and how many readings it lasts, from `shortest` to `longest`."""

    name: str
    origin: Origin
    shortest: int
    longest: int


MACHINE: Mapping[str, tuple[Anomaly, ...]] = {
    "temperature": (Anomaly("cooling_loss", "machine", 24, 96),),
    "vibration": (
        Anomaly("imbalance", "machine", 24, 96),
        Anomaly("bearing_inner", "machine", 64, 192),
        Anomaly("bearing_outer", "machine", 64, 192),
        Anomaly("bearing_ball", "machine", 64, 192),
        Anomaly("cavitation", "machine", 12, 48),
    ),
    "energy": (
        Anomaly("leak", "machine", 48, 192),
        Anomaly("left_on", "machine", 8, 32),
        Anomaly("outage", "machine", 2, 12),
    ),
}
SENSOR = (
    Anomaly("spike", "sensor", 1, 3),
    Anomaly("bias", "sensor", 12, 48),
    Anomaly("drift", "sensor", 128, 250),
    Anomaly("stuck", "sensor", 10, 48),
    Anomaly("noise", "sensor", 24, 96),
    Anomaly("clipping", "sensor", 48, 144),
    Anomaly("missing", "sensor", 5, 60),
    Anomaly("clock_back", "sensor", 1, 12),
)


@dataclass(frozen=True, eq=False)
class Episodes:
    """The rows of a draw that lie in episodes of one kind; `start` and `length` (readings) are their episodes'."""

    anomaly: Anomaly
    rows: Ints
    draw: Draw
    start: Ints
    length: Ints

    @property
    def since(self) -> Ints:
        """Readings since the episode's first."""
        return self.draw.seq - self.start

    def between(self, low: float, high: float, stream: int) -> Floats:
        """Uniform in [low, high), the same for all readings of an episode."""
        return self.draw.between(low, high, stream, self.start)

    def sign(self, stream: int) -> Floats:
        """−1 or 1, the same for all readings of an episode."""
        return np.where(self.draw.uniform(stream, self.start) < 0.5, -1.0, 1.0)


def one_episode(draw: Draw, kind: str, name: str, start: int, length: int) -> Episodes:
    """A fault on purpose: the same readings of all sensors of the draw."""
    (anomaly,) = (a for a in (*MACHINE[kind], *SENSOR) if a.name == name)
    rows = np.flatnonzero((start <= draw.seq) & (draw.seq < start + length))
    return Episodes(anomaly, rows, draw.at(rows), np.full(len(rows), start), np.full(len(rows), length))


def most(kind: str) -> float:
    """The highest share of anomalous readings of a kind."""
    means = [np.mean([(a.shortest + a.longest) / 2 for a in group]) for group in (MACHINE[kind], SENSOR)]
    return float(np.mean(means)) / STRETCH


def episodes(draw: Draw, kind: str, rate: float) -> list[Episodes]:
    """The episodes that some readings of one kind of sensor lie in, those of a kind of fault together."""
    hit = np.flatnonzero(draw.uniform(_HIT, draw.seq // STRETCH) < rate / most(kind))
    if not len(hit):
        return []
    some = draw.at(hit)
    stretch = some.seq // STRETCH
    table = (*MACHINE[kind], *SENSOR)
    machines = len(MACHINE[kind])
    of_machine = some.uniform(_ORIGIN, stretch) < 0.5
    among = (some.uniform(_WHICH, stretch) * np.where(of_machine, machines, len(SENSOR))).astype(np.int64)
    which = among + np.where(of_machine, 0, machines)
    shortest = np.array([a.shortest for a in table])[which]
    longest = np.array([a.longest for a in table])[which]
    length = shortest + (some.uniform(_LENGTH, stretch) * (longest - shortest + 1)).astype(np.int64)
    start = stretch * STRETCH + (some.uniform(_START, stretch) * (STRETCH - length + 1)).astype(np.int64)
    inside = (start <= some.seq) & (some.seq < start + length)
    found = []
    for number in np.unique(which[inside]).tolist():
        mine = np.flatnonzero(inside & (which == number))
        found.append(Episodes(table[number], hit[mine], some.at(mine), start[mine], length[mine]))
    return found
