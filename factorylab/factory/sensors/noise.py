"""Noise without a stream: what a sensor sees at its n-th reading is a function of (seed, sensor, n) alone.

So readings may be drawn in any order, in pieces of any size and by any number of processes, and are always the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, exp, log2

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

ALWAYS = 0  # a draw `at` this is the same for all readings of a sensor


@dataclass(frozen=True, eq=False)
class Draw:
    """Noise of some readings: `sensor` and `seq` are the counters, both of equal length.

    A `stream` is one use of noise, a number below 1000; `at` is what a draw depends on, by default the reading's seq.
    """

    seed: int
    sensor: Ints
    seq: Ints

    def at(self, rows: Ints, seq: Ints | None = None) -> Draw:
        """The noise of these rows, or of other readings of the same sensors."""
        return Draw(self.seed, self.sensor[rows], self.seq[rows] if seq is None else seq)

    def plant(self) -> Draw:
        """Noise that all sensors share."""
        return Draw(self.seed, np.zeros_like(self.sensor), self.seq)

    @cached_property
    def _base(self) -> Words:
        return mix(self.sensor.astype(np.uint64) ^ _seeded(self.seed))

    def words(self, stream: int, at: Ints | int | None = None, level: int = 0) -> Words:
        """64 random bits each."""
        counter = np.asarray(self.seq if at is None else at).astype(np.uint64)
        return mix(self._base + _stream(stream, level) + counter)

    def uniform(self, stream: int, at: Ints | int | None = None) -> Floats:
        """Uniform in [0, 1)."""
        share: Floats = (self.words(stream, at) >> np.uint64(11)).astype(np.float64)
        return share * 2.0**-53

    def between(self, low: float, high: float, stream: int, at: Ints | int | None = None) -> Floats:
        """Uniform in [low, high)."""
        value: Floats = low + (high - low) * self.uniform(stream, at)
        return value

    def normal(self, stream: int, at: Ints | int | None = None, level: int = 0) -> Floats:
        """Standard normal, one of 65,536 quantiles (within ±4.2)."""
        return quantiles().take((self.words(stream, at, level) >> np.uint64(48)).view(np.int64))

    def wander(self, stream: int, tau: float) -> Floats:
        """A standard Ornstein–Uhlenbeck process (AR(1) with coefficient exp(−1/τ)), τ in readings.

        Knots more than 4 τ apart are drawn independently; between them the process is halved again and again by its
        exact bridge: given its values a and b at a distance of 2h, and ρ = exp(−h/τ), the middle is normal with mean
        (a + b) ρ / (1 + ρ²) and variance (1 − ρ²) / (1 + ρ²).
        """
        levels = max(1, ceil(log2(4 * tau)))
        knot = self.seq >> levels
        left, right = self.normal(stream, knot, levels), self.normal(stream, knot + 1, levels)
        for level in reversed(range(levels)):
            rho = exp(-(2**level) / tau)
            mean, sd = rho / (1 + rho**2), ((1 - rho**2) / (1 + rho**2)) ** 0.5
            middle = (left + right) * mean + sd * self.normal(stream, self.seq >> (level + 1), level)
            second = (self.seq >> level & 1).astype(bool)
            left, right = np.where(second, middle, left), np.where(second, right, middle)
        return left


def mix(word: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014) after its increment, modulo 2⁶⁴."""
    z: Words = word + np.uint64(0x9E3779B97F4A7C15)
    z ^= z >> np.uint64(30)  # in place: no new array for each step
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


@lru_cache(maxsize=1024)
def _seeded(seed: int) -> np.uint64:
    word: np.uint64 = mix(np.array([seed], np.uint64))[0]
    return word


@lru_cache(maxsize=1024)
def _stream(stream: int, level: int) -> np.uint64:
    word: np.uint64 = mix(np.array([stream * 64 + level + 1], np.uint64))[0]
    return word


@lru_cache(maxsize=1)
def quantiles() -> Floats:
    """The normal distribution's quantiles at (i + ½) / 65,536, by trapezia under its density."""
    x = np.linspace(-6, 6, 120_001)
    density = np.exp(-(x**2) / 2)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return np.interp((np.arange(65_536) + 0.5) / 65_536, below / below[-1], x)
