"""Simulated sensors: the same by seed in whatever pieces, healthy ones quiet, faults visible, labels exact."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from factorylab.core import messages
from factorylab.core.messages import SENSOR_KINDS, AnyReading, Label
from factorylab.detectors.rules import ENERGY_SPIKE, LEFT_ON, TEMPERATURE_HIGH, VELOCITY_HIGH
from factorylab.detectors.vibration_window import (
    BEARINGS,
    GRAVITY_MM_S2,
    RATE_HZ,
    SAMPLES,
    Features,
    Machine,
    expected,
    features,
    synthesise,
)
from factorylab.factory.config import FleetConfig
from factorylab.factory.fleet.fleet import FleetJournals
from factorylab.factory.sensors.anomalies import MACHINE, SENSOR, episodes, most, one_episode
from factorylab.factory.sensors.noise import Draw, Floats
from factorylab.factory.sensors.sensor_faults import LATE_S, OF_MACHINE
from factorylab.factory.sensors.simulate import MODELS, Simulation, columns
from factorylab.factory.sensors.temperature_sensor import DAY

NOW = "2024-01-01T00:00:00.000000Z"
FIRST = {"temperature": "temperature_c", "vibration": "velocity_mm_s", "energy": "energy_kwh"}


class Sent(NamedTuple):
    sensor: str
    seq: int
    timestamp: str
    measures: messages.Measures


@cache
def factory(fleets: int, each: int, block: int = 997, **given: object) -> tuple[list[Sent], list[Label]]:
    """All readings and labels of fleets that share the sensors, `each` slots a sensor, in order of sensor and seq."""
    sent: list[Sent] = []
    labels: list[Label] = []
    options = {"sensors": 12, "kinds": SENSOR_KINDS, "seed": 5, "anomaly_rate": 0.2} | given
    for index in range(fleets):
        source = Simulation(index=index, count=fleets, **options)  # type: ignore[arg-type]
        total = each * len(source.sensors)
        for at in range(0, total, block):
            piece = source.block(at, min(block, total - at), NOW)
            sent += [sent_of(reading) for reading in piece.readings]
            labels += piece.labels
            where = [(source.sensors[at].name, n) for at, n in zip(piece.local, piece.seq, strict=True)]
            assert where == [(r.sensor_id, r.seq) for r in piece.readings]
    return sorted(sent, key=lambda s: s[:2]), sorted(labels, key=lambda one: (one.sensor_id, one.first_seq))


def sent_of(reading: AnyReading) -> Sent:
    return Sent(reading.sensor_id, reading.seq, reading.timestamp, reading.readings)


def test_any_number_of_fleets_gives_the_same_readings_and_labels() -> None:
    """One fleet, three and twelve give equal readings and labels; another seed gives others."""
    alone = factory(1, 1500)
    assert factory(3, 1500) == alone
    assert factory(12, 1500) == alone
    assert factory(1, 1500, seed=6)[0] != alone[0]
    assert factory(1, 1500, seed=6)[1] != alone[1]


@pytest.mark.parametrize("block", [1, 37, 8192, 20_000])
def test_the_size_of_blocks_changes_nothing(block: int) -> None:
    """Readings and labels are the same in blocks of one slot, of some, of what is drawn at once, and of more."""
    assert factory(2, 1500, block) == factory(2, 1500)


def test_a_block_may_be_drawn_alone_and_again() -> None:
    """A process that starts in the middle, or goes back, gets what an uninterrupted one got."""
    options = {"sensors": 7, "kinds": SENSOR_KINDS, "seed": 3, "anomaly_rate": 0.2, "index": 0, "count": 1}
    through, anew = Simulation(**options), Simulation(**options)  # type: ignore[arg-type]
    blocks = [through.block(at, 500, NOW) for at in range(0, 20_000, 500)]
    for at in (39, 7, 21, 7):
        again = anew.block(at * 500, 500, NOW)
        assert (again.readings, again.labels) == (blocks[at].readings, blocks[at].labels)


def test_only_missing_readings_leave_holes() -> None:
    """Each sensor has the seqs 0, 1, 2, … once, but for those that its labels call missing."""
    sent, labels = factory(5, 3000)
    silent = {
        (one.sensor_id, seq)
        for one in labels
        if one.anomaly == "missing"
        for seq in range(one.first_seq, one.last_seq + 1)
    }
    names = {s.sensor for s in sent}
    assert silent and len(names) == 12
    assert [(s.sensor, s.seq) for s in sent] == sorted(
        (name, seq) for name in names for seq in range(3000) if (name, seq) not in silent
    )


def test_labels_are_exact() -> None:
    """Outside the labels every reading is that of a factory without anomalies; within each, something is not."""
    each = 256 * 25
    healthy = {s[:2]: s for s in factory(1, each, anomaly_rate=0)[0]}
    sent, labels = factory(1, each)
    changed: defaultdict[str, set[int]] = defaultdict(set)
    for one in sent:
        if one != healthy.pop(one[:2]):
            changed[one.sensor].add(one.seq)
    for sensor, seq in healthy:  # what was not sent at all
        changed[sensor].add(seq)
    seen = set()
    for one in labels:
        within = set(range(one.first_seq, one.last_seq + 1))
        if one.anomaly != "clipping":  # an episode may lie in a trough of the signal
            assert within & changed[one.sensor_id], one
        changed[one.sensor_id] -= within
        seen.add(one.anomaly)
    assert not any(changed.values())
    assert seen == {a.name for table in (SENSOR, *MACHINE.values()) for a in table}


def test_labels_tell_whose_fault_it_is() -> None:
    """A label's origin is the machine or the sensor, and both are about as frequent."""
    _, labels = factory(1, 256 * 40)
    machines = {a.name for table in MACHINE.values() for a in table}
    assert all((one.origin == "machine") == (one.anomaly in machines) for one in labels)
    assert 0.35 < np.mean([one.origin == "machine" for one in labels]) < 0.65


@pytest.mark.parametrize(("kind", "rate"), [(kind, rate) for kind in SENSOR_KINDS for rate in (0.01, 0.1, 1.0)])
def test_the_anomaly_rate_is_the_share_of_anomalous_readings(kind: str, rate: float) -> None:
    """The share of slots within episodes is the declared rate, or all that fits where that is less."""
    draw = grid(40, 256 * 60)
    share = sum(len(group.rows) for group in episodes(draw, kind, rate)) / len(draw.seq)
    assert share == pytest.approx(min(rate, most(kind)), rel=0.3 if rate < 0.1 else 0.1)


def test_a_restarted_fleet_goes_on_behind_its_last_reading(tmp_path: Path) -> None:
    """With holes in the history the next slot is that behind the last reading, and not their number."""
    config = FleetConfig(bootstrap="nowhere:1", worker="fleet-1", fleet="1/3", sensors=30, journal_dir=tmp_path)
    source = Simulation(sensors=30, kinds=SENSOR_KINDS, seed=2, anomaly_rate=1, index=1, count=3)
    index = np.array([sensor.index for sensor in source.sensors])
    journals = FleetJournals(config, print)
    assert journals.next_slot(index) == 0
    block = source.block(0, 20_000, NOW)
    hashes = np.arange(1, len(block.readings) + 1, dtype=np.uint64)
    journals.intend(block, index, hashes, np.zeros(len(hashes), np.int64))
    journals.close()
    again = FleetJournals(config, print)
    assert again.sends.count == len(block.readings) < 20_000
    assert again.next_slot(index) == int(block.seq[-1]) * 10 + int(block.local[-1]) + 1
    again.close()


def test_slots_that_hold_a_reading_are_known_without_making_it() -> None:
    """What was due and not offered is counted as exactly as what was sent: silent sensors owe nothing."""
    source = Simulation(sensors=30, kinds=SENSOR_KINDS, seed=2, anomaly_rate=1, index=1, count=3)
    local, seq = source.filled(500, 20_000)
    block = source.block(500, 20_000, NOW)
    assert len(seq) < 20_000 and np.array_equal(local, block.local) and np.array_equal(seq, block.seq)


# ---- noise


def grid(sensors: int, readings: int, seed: int = 1) -> Draw:
    return Draw(seed, np.repeat(np.arange(sensors), readings), np.tile(np.arange(readings), sensors))


def test_noise_is_normal_and_independent() -> None:
    """Moments and tails are the normal distribution's; neighbours in time, sensors and streams are uncorrelated."""
    draw = grid(200, 2000)
    x = draw.normal(1).reshape(200, 2000)
    assert abs(x.mean()) < 0.005 and abs(x.std() - 1) < 0.005
    assert abs((x**4).mean() - 3) < 0.05
    assert np.mean(x > 2) == pytest.approx(0.02275, rel=0.05)
    for other in (np.roll(x, 1, axis=1), np.roll(x, 1, axis=0), draw.normal(2).reshape(x.shape)):
        assert abs((x * other).mean()) < 0.008


@pytest.mark.parametrize("tau", [5.7, 72.0])
def test_wander_is_an_ornstein_uhlenbeck_process(tau: float) -> None:
    """Its variance is 1 and its autocorrelation e^(−lag/τ), at short and at long lags."""
    x = grid(300, 4096, seed=4).wander(1, tau).reshape(300, 4096)
    assert x.var() == pytest.approx(1, abs=0.04)
    for lag in (1, 2, 7, 40, 150):
        assert (x[:, :-lag] * x[:, lag:]).mean() == pytest.approx(np.exp(-lag / tau), abs=0.05), lag


# ---- healthy machines


def matrix(kind: str, sensors: int = 60, readings: int = 2016, seed: int = 1) -> dict[str, Floats]:
    """Measures of healthy machines as (sensors, readings)."""
    found = columns(kind, grid(sensors, readings, seed), ())
    return {name: values.reshape(sensors, readings) for name, values in found.items()}


def test_healthy_machines_stay_within_the_limits() -> None:
    """Of healthy readings less than one in 5,000 exceeds a limit of the threshold rules; 80 °C is within reach."""
    celsius = matrix("temperature", 300)["temperature_c"]
    assert 0 < np.mean(celsius > TEMPERATURE_HIGH.levels[0].limit) < 2e-4
    assert celsius.max() < 85
    assert matrix("vibration", 100)["velocity_mm_s"].max() < VELOCITY_HIGH.levels[0].limit
    energy = matrix("energy", 100)
    assert energy["energy_kwh"].max() < ENERGY_SPIKE.levels[0].limit
    assert energy["energy_kwh"][energy["running"] == 0].max() < LEFT_ON.levels[0].limit


def test_temperature_is_as_declared() -> None:
    """Means of 63–72 °C, a spread of 2.5–5 °C within a machine, hours of memory, and never thrice the same value."""
    celsius = matrix("temperature")["temperature_c"]
    assert celsius.mean(axis=1).min() > 63 and celsius.mean(axis=1).max() < 72
    assert 2.5 < celsius.std(axis=1).mean() < 5
    assert np.mean([np.corrcoef(row[:-12], row[12:])[0, 1] for row in celsius]) == pytest.approx(0.88, abs=0.06)
    same = np.diff(celsius, axis=1) == 0
    assert not (same[:, :-1] & same[:, 1:]).any()


def test_the_day_is_in_the_temperature() -> None:
    """Averaged over many days a machine's temperature swings by 1.5 °C with the period of a day."""
    celsius = matrix("temperature", 20, DAY * 100)["temperature_c"].reshape(20, 100, DAY).mean(axis=1)
    swing = 2 * np.abs(np.fft.rfft(celsius, axis=1))[:, 1] / DAY
    assert np.median(swing) == pytest.approx(1.5, abs=0.3)


def test_vibration_is_as_declared() -> None:
    """About 0.06 g RMS, kurtosis 2.9, 1.2–2.2 mm/s, and louder at a higher load."""
    seen = matrix("vibration")
    assert seen["acceleration_g"].mean() == pytest.approx(0.057, abs=0.005)
    assert seen["kurtosis"].mean() == pytest.approx(2.87, abs=0.08)
    assert 1.1 < seen["velocity_mm_s"].mean(axis=1).min() < seen["velocity_mm_s"].mean(axis=1).max() < 2.5
    inner = [np.corrcoef(g, load)[0, 1] for g, load in zip(seen["acceleration_g"], seen["load_percent"], strict=True)]
    assert np.mean(inner) > 0.1


def test_energy_is_as_declared() -> None:
    """Idle 2.8–3.9, a weekday's shift 46–66 nine times in ten, half on Saturday, a quarter on Sunday, AR(1) 0.84."""
    seen = matrix("energy", 60, 672 * 6)
    kwh, hour = seen["energy_kwh"], seen["hour_of_week"]
    idle = kwh[seen["running"] == 0]
    assert idle.min() > 2.7 and idle.max() < 4
    typical = [np.median(kwh[hour == at]) for at in (10, 12, 5 * 24 + 10, 6 * 24 + 10)]
    assert typical == pytest.approx([58.5, 7, 29, 14.6], rel=0.05)
    shift = kwh[(hour % 24 >= 14) & (hour % 24 < 18) & (hour < 120) & (kwh > 30)]
    assert np.mean((shift > 46) & (shift < 72)) > 0.97
    residual = np.log(kwh[:, (hour[0] == 9) | (hour[0] == 10)]).reshape(60, -1, 8)
    residual = residual[residual.min(axis=2) > 3]
    residual -= residual.mean()
    full = residual - residual.mean(axis=1, keepdims=True).mean()
    assert np.corrcoef(full[:, 3], full[:, 4])[0, 1] > 0.8


# ---- machine faults


def faulty(kind: str, name: str, length: int, start: int = 300, sensors: int = 60) -> dict[str, Floats]:
    """Measures during one fault of all machines, (sensors, length), and the healthy ones as `healthy_…`."""
    draw = grid(sensors, start + length + 8)
    found = columns(kind, draw, [one_episode(draw, kind, name, start, length)])
    usual = columns(kind, draw, ())
    shaped = {n: v.reshape(sensors, -1)[:, start : start + length] for n, v in found.items()}
    return shaped | {f"healthy_{n}": v.reshape(sensors, -1)[:, start : start + length] for n, v in usual.items()}


def test_a_loss_of_cooling_crosses_the_limits_and_ends() -> None:
    """Every overheating machine exceeds 80 °C, a third to two thirds exceed 100; it has cooled down at the end."""
    seen = faulty("temperature", "cooling_loss", 48)
    top = seen["temperature_c"].max(axis=1)
    assert (top > 80).all() and top.max() < 120
    assert 1 / 3 < np.mean(top > 100) < 2 / 3
    excess = seen["temperature_c"] - seen["healthy_temperature_c"]
    assert (excess[:, 0] < 0.35 * excess.max(axis=1)).all()
    assert (excess[:, -1] < 0.1 * excess.max(axis=1)).all()


def test_an_imbalance_raises_the_velocity() -> None:
    """Every machine out of balance exceeds 4.5 mm/s; its kurtosis falls, as a tone's does."""
    seen = faulty("vibration", "imbalance", 48)
    assert (seen["velocity_mm_s"].max(axis=1) > 4.5).all()
    assert (seen["kurtosis"][:, 10:].mean(axis=1) < seen["healthy_kurtosis"].mean(axis=1)).all()


@pytest.mark.parametrize("name", BEARINGS)
def test_a_bearing_grows_spiky_while_its_velocity_hardly_changes(name: str) -> None:
    """Kurtosis and crest factor rise from healthy to far above; the velocity stays below the limit."""
    seen = faulty("vibration", name, 128)
    for measure in ("kurtosis", "crest_factor"):
        first, last = seen[measure][:, :16].mean(axis=1), seen[measure][:, -16:].mean(axis=1)
        healthy = seen[f"healthy_{measure}"].mean(axis=1)
        assert np.mean(first < 1.15 * healthy) > 0.9
        assert np.mean(last > 1.4 * healthy) > 0.9
    assert seen["velocity_mm_s"].max() < VELOCITY_HIGH.levels[0].limit


def test_cavitation_is_loud_and_bursty() -> None:
    """The acceleration rises by half at least, the kurtosis above that of steady noise."""
    seen = faulty("vibration", "cavitation", 48)
    assert (seen["acceleration_g"].mean(axis=1) > 1.5 * seen["healthy_acceleration_g"].mean(axis=1)).all()
    assert (seen["kurtosis"].mean(axis=1) > 3.05).all()


def test_faults_of_energy_are_what_they_are_called() -> None:
    """A leak adds 4–9 kWh; a machine left on takes 12–20 and does not run; one without power runs by its word only."""
    leak = faulty("energy", "leak", 96)
    more = leak["energy_kwh"] - leak["healthy_energy_kwh"]
    assert more.min() > 3.99 and more.max() < 9.01 and np.ptp(more, axis=1).max() < 0.01
    left_on = faulty("energy", "left_on", 32)
    assert not left_on["running"].any() and left_on["energy_kwh"].min() > 11 and left_on["energy_kwh"].max() < 21
    outage = faulty("energy", "outage", 12)
    assert outage["running"].all() and outage["energy_kwh"].max() <= 0.02


# ---- sensor faults

SPREAD = {"temperature": 2.0, "vibration": 0.12 * 1.7, "energy": 0.07 * 58.5}


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_sensor_faults_change_the_signal_as_declared(kind: str) -> None:
    """Spike, bias, drift, noise and clipping, each in units of the measure's usual spread."""
    usual, draw = MODELS[kind].usual(grid(60, 1))[FIRST[kind]], grid(60, 1)
    spread = np.broadcast_to(usual.spread, draw.seq.shape)[:, None]
    assert np.mean(spread) == pytest.approx(SPREAD[kind], rel=0.1)

    def change(name: str, length: int) -> Floats:
        seen = faulty(kind, name, length, start=300 if kind != "energy" else 36)
        return np.asarray((seen[FIRST[kind]] - seen[f"healthy_{FIRST[kind]}"]) / spread)

    spike, bias, drift = change("spike", 3), change("bias", 40), change("drift", 200)
    cut = change("clipping", 100)
    for jump, low, high in ((spike, 5, 10), (bias, 2, 5)):
        up = jump.mean(axis=1) > 0
        assert 0.2 < up.mean() < 0.8
        assert (jump[up] > low - 0.01).all() and (jump[up] < high + 0.01).all()
    rising = drift.mean(axis=1) > 0
    assert (np.diff(drift[rising], axis=1) > -0.01).all() and (drift[rising][:, -1] > 0.49).all()
    assert drift.max() < 5.01
    assert np.abs(change("noise", 90)).std() > 0
    assert (cut <= 1e-4).all() and (cut < -0.1).any()


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_a_noisy_sensor_is_three_to_five_times_as_noisy(kind: str) -> None:
    """The noise added has √(k² − 1) times the usual noise's spread, 3 ≤ k ≤ 5."""
    seen = faulty(kind, "noise", 96, start=36, sensors=40)
    usual = MODELS[kind].usual(grid(40, 1))[FIRST[kind]]
    added = seen[FIRST[kind]] - seen[f"healthy_{FIRST[kind]}"]
    if kind == "energy":  # cut off at 0 while idle
        added = np.where(seen["healthy_energy_kwh"] > 10, added, np.nan)
    times = np.nanstd(added, axis=1) / np.broadcast_to(usual.noise, 40)
    assert (times > 2.2).all() and (times < 6.2).all()


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_a_stuck_sensor_repeats_its_first_reading(kind: str) -> None:
    """What it measures stays as it was when it got stuck; the machine's state, which it does not measure, does not."""
    seen = faulty(kind, "stuck", 30)
    for name in columns(kind, grid(1, 1), ()):
        usual = seen[f"healthy_{name}"]
        assert (seen[name] == (usual if name in OF_MACHINE else usual[:, :1])).all(), name
        assert name in OF_MACHINE or (usual != usual[:, :1]).any()


def test_a_wrong_clock_is_55_minutes_behind() -> None:
    """The stamps of labelled readings are earlier, all others are the block's."""
    sent, labels = factory(1, 256 * 20)
    behind = {
        (one.sensor_id, seq)
        for one in labels
        if one.anomaly == "clock_back"
        for seq in range(one.first_seq, one.last_seq + 1)
    }
    late = {s[:2] for s in sent if s.timestamp != NOW}
    assert late == behind != set()
    assert {messages.timestamp_us(NOW) - messages.timestamp_us(s.timestamp) for s in sent if s[:2] in late} == {
        LATE_S * 1_000_000
    }


# ---- windows of acceleration


def machine(**given: float) -> Machine:
    state = dict.fromkeys(("impulse_g", "per_turn", "swell", "burst"), 0.0)
    state |= {"shaft_hz": 28.0, "tone_mm_s": 1.6, "gear_g": 0.02, "noise_g": 0.045} | given
    return Machine(**{name: np.float64(value) for name, value in state.items()})  # type: ignore[arg-type]


def test_a_tone_of_one_mm_per_s_reads_as_one() -> None:
    """Velocity RMS of a sine of 1 mm/s RMS is right within 1 %, at the band's two ends too; outside it is not seen."""
    t = np.arange(SAMPLES) / RATE_HZ
    for hz, reads in ((29.7, 1.0), (160.0, 1.0), (950.0, 1.0), (1200.0, 0.0)):
        window = 2**0.5 * 2 * np.pi * hz / GRAVITY_MM_S2 * np.sin(2 * np.pi * hz * t)
        assert float(features(window).velocity_mm_s) == pytest.approx(reads, abs=0.01), hz


def test_a_dead_sensor_has_features() -> None:
    """A window that never changes reads 0 everywhere and divides by nothing."""
    assert np.allclose(list(vars(features(np.full(SAMPLES, 0.3))).values()), 0, atol=1e-12)


STATES = {
    "healthy": {},
    "imbalance": {"tone_mm_s": 8.0},
    "cavitation": {"noise_g": 0.14, "burst": 0.7},
    **{
        f"{name}_{size}": {"impulse_g": size, "per_turn": turn, "swell": swell}
        for name, (turn, swell) in BEARINGS.items()
        for size in (0.15, 0.5, 1.5)
    },
}


@pytest.mark.parametrize("name", STATES)
def test_closed_form_features_are_those_of_windows(name: str) -> None:
    """What a fleet sends is on average what windows of the model measure: 4 %, the crest factor 8 %."""
    state, dice = machine(**STATES[name]), np.random.default_rng(1)
    measured = features(np.array([synthesise(state, dice) for _ in range(100)]))
    closed = expected(state)
    for measure in Features.__annotations__:
        tolerance = 0.08 if measure == "crest_factor" else 0.04
        mean = np.mean(getattr(measured, measure))
        assert float(getattr(closed, measure)) == pytest.approx(mean, rel=tolerance), measure
