"""Signals to look at without a cluster: simulated machines, their faults, and recorded ones to hold beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.analysis.signals import DISTANCE, compared
from factorylab.cluster.settings import project_folder
from factorylab.core.errors import UsageError
from factorylab.core.messages import Origin
from factorylab.detectors import vibration_window
from factorylab.factory.sensors import energy_sensor, temperature_sensor
from factorylab.factory.sensors.anomalies import MACHINE, SENSOR, one_episode
from factorylab.factory.sensors.noise import Draw, Floats
from factorylab.factory.sensors.simulate import columns

# The longest stretch between the windows of failures that the benchmark lists for the machine.
HEALTHY_ROWS = {"temperature_c": slice(4270, 16_057)}
INTERVAL_H = {
    "temperature": temperature_sensor.INTERVAL_S / 3600,
    "vibration": temperature_sensor.INTERVAL_S / 3600,
    "energy": energy_sensor.INTERVAL_S / 3600,
}

FAULT_AT, FAULT_READINGS = 36, 96  # in the figures: energy is then in a shift


@dataclass(frozen=True)
class RecordedSignal:
    """One measure of one real machine, evenly sampled."""

    name: str
    unit: str
    interval_h: float
    values: Floats


# By measure: file, its column, name, unit, sampling interval.
FILES = {
    "temperature_c": (
        "nab/machine_temperature_system_failure.csv", "value", "machine temperature (NAB)", "unit not stated", 1 / 12,
    ),
    "acceleration_g": ("skab/anomaly-free.csv", "Accelerometer1RMS", "pump test bed (SKAB)", "g RMS", 1 / 3600),
    "energy_kwh": ("steel/Steel_industry_data.csv", "Usage_kWh", "steel plant (UCI)", "kWh", 1 / 4),
}  # fmt: skip


def simulated(kind: str, readings: int, sensor: int = 0, seed: int = 1) -> pd.DataFrame:
    """One healthy machine from the beginning: hours of the plant's time, and its measures."""
    draw = Draw(seed, np.full(readings, sensor), np.arange(readings))
    return pd.DataFrame({"hours": draw.seq * INTERVAL_H[kind], **columns(kind, draw, ())})


def faults(kind: str, of: Origin, sensor: int = 0, seed: int = 1) -> dict[str, pd.DataFrame]:
    """The same machine with each fault of it, or of its sensor, by name. `faulty` marks readings; missing ones are NaN.

    The faults begin at reading `FAULT_AT` and are as long as they can be, up to `FAULT_READINGS`.
    """
    length = FAULT_AT + FAULT_READINGS + 24
    draw, usual = Draw(seed, np.full(length, sensor), np.arange(length)), simulated(kind, length, sensor, seed)
    frames = {}
    for anomaly in MACHINE[kind] if of == "machine" else SENSOR:
        if anomaly.name != "clock_back":  # which changes no value
            episode = one_episode(draw, kind, anomaly.name, FAULT_AT, min(anomaly.longest, FAULT_READINGS))
            frame = usual.assign(**columns(kind, draw, [episode]), faulty=usual.index.isin(episode.rows))
            silent = frame["faulty"] & (anomaly.name == "missing")
            frames[anomaly.name] = frame.mask(silent, usual[["hours"]].assign(faulty=True))
    return frames


def states_of_a_machine() -> dict[str, vibration_window.Machine]:
    """A healthy machine and four damaged ones, by name."""
    healthy = {"shaft_hz": 28.0, "tone_mm_s": 1.6, "gear_g": 0.02, "noise_g": 0.045}
    healthy |= dict.fromkeys(("impulse_g", "per_turn", "swell", "burst"), 0.0)
    changes: dict[str, dict[str, float]] = {
        "healthy": {},
        "imbalance": {"tone_mm_s": 8},
        "outer race": {"impulse_g": 0.5, "per_turn": vibration_window.BEARINGS["bearing_outer"][0]},
        "inner race": {"impulse_g": 0.5, "per_turn": vibration_window.BEARINGS["bearing_inner"][0], "swell": 1},
        "cavitation": {"noise_g": 0.14, "burst": 0.8},
    }
    return {
        name: vibration_window.Machine(**{field: np.float64(value) for field, value in (healthy | change).items()})  # type: ignore[arg-type]
        for name, change in changes.items()
    }


def windows(seed: int = 1) -> dict[str, Floats]:
    """A window of acceleration (g, at `window.RATE_HZ`) of each of these machines."""
    dice = np.random.default_rng(seed)
    return {name: vibration_window.synthesise(state, dice) for name, state in states_of_a_machine().items()}


def features_of_windows(windows: int = 50, seed: int = 1) -> pd.DataFrame:
    """Features of synthesised windows (mean ± standard deviation) beside those that a fleet sends on average."""
    dice = np.random.default_rng(seed)
    rows = []
    for name, state in states_of_a_machine().items():
        measured = vibration_window.features(
            np.array([vibration_window.synthesise(state, dice) for _ in range(windows)])
        )
        sent = vibration_window.expected(state)
        for field in vibration_window.Features.__annotations__:
            seen = getattr(measured, field)
            spread = f"{seen.mean():.3g} ± {seen.std():.2g}"
            rows.append((name, field, f"{spread} | {float(getattr(sent, field)):.3g}"))
    return pd.DataFrame(rows, columns=["state", "feature", "value"]).pivot(
        index="state", columns="feature", values="value"
    )


def data_folder(given: str = "") -> Path | None:
    """The folder of recorded data that was given, or one called `data` in a neighbour of the checkout, or None.

    Raises:
        UsageError: a folder was given and a file is not in it.
    """
    files = [file for file, *_ in FILES.values()]
    if not given:
        found = sorted(project_folder(Path(__file__).parent).parent.glob(f"*/data/{files[0]}"))
        return found[0].parents[1] if found else None
    missing = [file for file in files if not (Path(given) / file).is_file()]
    if missing:
        raise UsageError(
            f"{given}: there is no {' and no '.join(missing)}; docs/sensors.md says where to get the files"
        )
    return Path(given)


def recorded(measure: str, folder: Path | None) -> RecordedSignal | None:
    """A real machine's signal to hold beside a simulated measure; None where there is no folder."""
    if folder is None:
        return None
    file, column, name, unit, interval_h = FILES[measure]
    path = folder / file
    frame = pd.read_csv(path, sep=";" if path.parent.name == "skab" else ",", usecols=[column])
    return RecordedSignal(name, unit, interval_h, frame[column].to_numpy(float)[HEALTHY_ROWS.get(measure, slice(None))])


def beside(ours: pd.DataFrame, measure: str, theirs: RecordedSignal | None, lags_h: dict[str, float]) -> pd.DataFrame:
    """The numbers of both; lags in hours by the words to show."""
    interval_h = float(ours["hours"].iloc[1])
    values = ours[measure].to_numpy(float)
    other = theirs or RecordedSignal("", "", interval_h, values)
    lags = {
        word: (max(1, round(lag / interval_h)), max(1, round(lag / other.interval_h))) for word, lag in lags_h.items()
    }
    table = compared(values, other.values, lags)
    return table if theirs else table[["simulated"]].drop(index=DISTANCE)
