"""Every recording of a folder of known ones, each with the detector that it is for and the split that it is judged by.

    nab/machine_temperature_system_failure.csv, nab/combined_windows.json   Numenta Anomaly Benchmark
    skab/valve1/*.csv                                                       Skoltech Anomaly Benchmark
    hydraulic/*.txt.gz, hydraulic/profile.txt                               ZeMA's hydraulic rig
    steel/Steel_industry_data.csv                                           a steel plant's energy

What is not there is left out. Where a parameter was chosen on such data it was picked by the part called "chosen",
not by the one called "reported"; docs/detectors.md says how far that one was in sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.core.errors import UsageError
from factorylab.detectors.evaluation.detect import episodes
from factorylab.detectors.evaluation.hydraulic import is_rig, read_rig
from factorylab.detectors.evaluation.plant import plant
from factorylab.detectors.evaluation.score_table import Judged, judge
from factorylab.detectors.levels import Level, Rule
from factorylab.detectors.recordings.collect import files_of, read_recordings
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.recording import Recording

MACHINE, WINDOWS = "nab/machine_temperature_system_failure.csv", "nab/combined_windows.json"
PUMP, RIG, STEEL = "skab/valve1", "hydraulic", "steel/Steel_industry_data.csv"
PLANTED, SEED = 20, 1


@dataclass(frozen=True)
class SuiteCase:
    recording: str
    part: str
    judged: Judged


def machine(folder: Path) -> Recording:
    """The machine's temperature with the windows around its known failures."""
    return _read([folder / MACHINE], windows=folder / WINDOWS)[0]


def pump(folder: Path) -> list[Recording]:
    """The test bed's recordings, in the order of their numbers."""
    return _read(files_of([folder / PUMP]))


def rig(folder: Path) -> Recording:
    """The hydraulic rig, its cooler as what may be faulty."""
    return read_rig(folder / RIG, None)


def steel(folder: Path, part: str) -> Recording:
    """The plant's energy with faults planted in one half."""
    return plant(_read([folder / STEEL], ("Usage_kWh",))[0].part(part), PLANTED, SEED)


def _read(files: list[Path], values: tuple[str, ...] = (), windows: Path | None = None) -> list[Recording]:
    return read_recordings(files, Columns(values=values), Layout(), windows)


def cases(folder: Path) -> Iterator[SuiteCase]:
    """Each case as it is judged.

    Raises:
        UsageError: the folder holds none of the recordings.
    """
    if not any((folder / there).exists() for there in (MACHINE, PUMP, RIG, STEEL)):
        raise UsageError(
            f"{folder} holds no recordings that are known here ({MACHINE}, {PUMP}, {RIG} or {STEEL}): "
            "name the folder that does, or single files"
        )
    if (folder / MACHINE).exists():
        temperature = machine(folder)
        for part in ("all", "first-half", "second-half"):
            yield SuiteCase("machine temperature", part, judge([temperature.part(part)]))
    if (folder / PUMP).exists():
        files = pump(folder)
        yield SuiteCase("pump test bed", "even files (chosen)", judge(files[0::2]))
        yield SuiteCase("pump test bed", "odd files (reported)", judge(files[1::2]))
        yield SuiteCase("pump test bed", "all", judge(files))
    if is_rig(folder / RIG):
        yield SuiteCase("hydraulic rig, cooler", "all (nothing was chosen)", judge([rig(folder)]))
    if (folder / STEEL).exists():
        for part, said in (("first-half", "first half (chosen)"), ("second-half", "second half (reported)")):
            yield SuiteCase("steel plant, planted faults", said, judge([steel(folder, part)], "energy"))


def frame(found: list[SuiteCase]) -> pd.DataFrame:
    """All cases, a method a row."""
    rows = [
        {"recording": case.recording, "part": case.part, **vars(score)}
        for case in found
        for score in case.judged.scores
    ]
    return pd.DataFrame(rows).drop(columns="baseline").set_index(["recording", "part", "method"])


def threshold_counts(values: np.ndarray, limits: tuple[float, ...], hysteresis: float, dwell: int) -> pd.DataFrame:
    """Readings above each limit (strictly), and the episodes: plain, with hysteresis, and with dwell as well."""
    return pd.DataFrame(
        {
            "limit": limit,
            "readings above": int((values > limit).sum()),
            "plain episodes": _events(values, limit, 0, 1),
            f"clearing at -{hysteresis:g}": _events(values, limit, hysteresis, 1),
            f"and a dwell of {dwell}": _events(values, limit, hysteresis, dwell),
        }
        for limit in limits
    ).set_index("limit")


def machine_counts(folder: Path) -> pd.DataFrame:
    """The counts of the machine's temperature, read as °C, by the factory's limits."""
    return threshold_counts(machine(folder).values[:, 0], (80, 100), 2, 3)


def _events(values: np.ndarray, limit: float, hysteresis: float, dwell: int) -> int:
    return int(episodes(Rule("r", 1, (Level(limit, "warning"),), hysteresis, dwell), values)[1].sum())
