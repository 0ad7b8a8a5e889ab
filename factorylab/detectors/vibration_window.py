"""One window of a machine's acceleration (g): how to synthesise it, its features, and what they are on average.

`synthesise` is the model: the tone of the shaft, a gear tone, noise, and for a damaged bearing decaying impulses.
`features` measures any window. `expected` gives the same features in closed form, thousands of times as fast: that
is what a fleet sends, and a test holds it against measured windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATE_HZ, SAMPLES = 12_800, 4096
STILL_G = 1e-9  # below any sensor's resolution: a constant, but for rounding
GRAVITY_MM_S2 = 9806.65
BAND_HZ = (10.0, 1000.0)  # of the velocity RMS, as in ISO 20816
GEAR_ORDER = 14  # teeth of the pinion: the gear tone is at this multiple of the shaft's speed
RESONANCE_HZ, DECAY_S = 3200.0, 1e-3  # of what an impulse excites
JITTER = 0.01  # of the time between two impulses: rolling elements slip
# Impulses per turn of the shaft of a bearing 6205 (Smith and Randall 2015), and how often per turn they swell.
BEARINGS = {"bearing_outer": (3.585, 0.0), "bearing_inner": (5.415, 1.0), "bearing_ball": (4.714, 0.398)}
# Means of the square and the fourth power of the swelling (1 + cos) / 2.
SWELL_2, SWELL_4 = 3 / 8, 35 / 128
BURSTS = 5.0  # per turn: vanes of the impeller


@dataclass(frozen=True)
class Machine:
    """The state of some machines, arrays of equal length or single numbers.

    shaft_hz; tone_mm_s: velocity RMS of the shaft's tone; gear_g: peak of the gear tone; noise_g: RMS of the noise;
    impulse_g: peak of a bearing's impulses; per_turn, swell: 0 or those of `BEARINGS`; burst: 0 or the depth to which
    cavitation modulates the noise's power.
    """

    shaft_hz: Floats
    tone_mm_s: Floats
    gear_g: Floats
    noise_g: Floats
    impulse_g: Floats
    per_turn: Floats
    swell: Floats
    burst: Floats

    @property
    def tone_g(self) -> Floats:
        """Peak of the shaft's tone."""
        return self.tone_mm_s * 2**0.5 * 2 * pi * self.shaft_hz / GRAVITY_MM_S2


@dataclass(frozen=True)
class Features:
    """Velocity RMS over 10–1000 Hz (mm/s), acceleration RMS (g), peak / RMS, kurtosis (Pearson's: 3 for a Gaussian)."""

    velocity_mm_s: Floats
    acceleration_g: Floats
    crest_factor: Floats
    kurtosis: Floats


def features(window: Floats, rate_hz: float = RATE_HZ) -> Features:
    """Features of windows of acceleration in g, along the last axis.

    Velocity RMS: √Σ P(f)·(g/2πf)² over the band, with P the power spectrum under a Hann window. A window without any
    motion has crest factor and kurtosis 0.
    """
    x = window - window.mean(axis=-1, keepdims=True)
    frequency, power = spectrum(x, rate_hz)
    band = (BAND_HZ[0] <= frequency) & (frequency <= BAND_HZ[1])
    speed = power[..., band] * (GRAVITY_MM_S2 / (2 * pi * frequency[band])) ** 2
    rms = np.sqrt((x**2).mean(axis=-1))
    unit = x / np.where(rms > STILL_G, rms, np.inf)[..., None]
    crest = np.abs(unit).max(axis=-1)
    return Features(np.sqrt(speed.sum(axis=-1)), rms, crest, (unit**4).mean(axis=-1))


def spectrum(centred: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Frequencies (Hz) and powers (g²) of windows without their mean, along the last axis, under a Hann window."""
    count = centred.shape[-1]
    hann = np.hanning(count)
    power: Floats = 2 * np.abs(np.fft.rfft(centred * hann)) ** 2 / (count * (hann**2).sum())
    return np.asarray(np.fft.rfftfreq(count, 1 / rate_hz)), power


def synthesise(machine: Machine, dice: np.random.Generator) -> Floats:
    """A window of SAMPLES values at RATE_HZ of one machine (fields of `machine` are single numbers)."""
    t = np.arange(SAMPLES) / RATE_HZ
    turn = 2 * pi * machine.shaft_hz * t
    phase = dice.uniform(0, 2 * pi, 3)
    noise = dice.normal(0, machine.noise_g, SAMPLES)
    noise *= np.sqrt(1 + machine.burst * np.cos(BURSTS * turn + phase[2]))
    x: Floats = machine.tone_g * np.sin(turn + phase[0]) + machine.gear_g * np.sin(GEAR_ORDER * turn + phase[1]) + noise
    return x + _impulses(machine, t, dice) if machine.per_turn else x


def _impulses(machine: Machine, t: Floats, dice: np.random.Generator) -> Floats:
    gap_s = 1 / (machine.per_turn * machine.shaft_hz)
    count = int(t[-1] / gap_s) + 3
    at = np.cumsum(gap_s * (1 + JITTER * dice.normal(size=count))) - gap_s * (1 + dice.uniform())
    since = t - at[:, None]
    ringing = np.where(since >= 0, np.exp(-np.maximum(since, 0) / DECAY_S), 0) * np.sin(2 * pi * RESONANCE_HZ * since)
    swelling = (1 + np.cos(2 * pi * machine.swell * machine.shaft_hz * at)) / 2 if machine.swell else np.ones(count)
    total: Floats = machine.impulse_g * (swelling[:, None] * ringing).sum(axis=0)
    return total


def expected(machine: Machine) -> Features:
    """Average features, in closed form.

    Powers and fourth cumulants of independent parts add up. With a sine of peak A they are A²/2 and −3A⁴/8; with n
    impulses a second of peak A that decay with τ: nA²τ/4, and 3nA⁴τ/32 less three times the square of the power.
    The peak is fitted: see `_peak`.
    """
    tone, gear, noise = machine.tone_g, machine.gear_g, machine.noise_g
    rate = machine.per_turn * machine.shaft_hz
    swell_2, swell_4 = (np.where(machine.swell > 0, swell, 1.0) for swell in (SWELL_2, SWELL_4))
    impulses = rate * machine.impulse_g**2 * DECAY_S / 4 * swell_2
    power = tone**2 / 2 + gear**2 / 2 + noise**2 + impulses
    fourth = -3 / 8 * (tone**4 + gear**4) + 1.5 * noise**4 * machine.burst**2
    fourth = fourth + 3 / 32 * rate * machine.impulse_g**4 * DECAY_S * swell_4 - 3 * impulses**2
    gear_mm_s = gear / 2**0.5 * GRAVITY_MM_S2 / (2 * pi * GEAR_ORDER * machine.shaft_hz)
    slow = noise * (2 / RATE_HZ) ** 0.5 * GRAVITY_MM_S2 / (2 * pi) * (1 / BAND_HZ[0] - 1 / BAND_HZ[1]) ** 0.5
    velocity = np.sqrt(machine.tone_mm_s**2 + gear_mm_s**2 + slow**2)
    rms = np.sqrt(power)
    return Features(velocity, rms, _peak(machine) / rms, 3 + fourth / power**2)


def _peak(machine: Machine) -> Floats:
    """The largest of SAMPLES values, fitted to synthesised windows to within a few percent.

    Noise alone reaches 3.6 σ (more where it comes in bursts), and rarely at a tone's very peak. Impulses that swell
    are seldom sampled at their largest.
    """
    noise = machine.noise_g * 3.6 * np.sqrt(1 + 0.75 * machine.burst)
    tones = np.hypot(machine.tone_g, machine.gear_g)
    quiet = np.sqrt(noise**2 + tones**2) + 0.6 * np.minimum(noise, tones)
    top = np.where(machine.swell > 0, 0.85, 0.9) * machine.impulse_g
    struck = np.where(machine.per_turn > 0, top + 0.6 * (machine.tone_g + machine.gear_g) + 1.2 * machine.noise_g, 0)
    peak: Floats = (quiet**6 + struck**6) ** (1 / 6)
    return peak
