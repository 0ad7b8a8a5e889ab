"""Files of windows: when something is known to be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.errors import UsageError
from factorylab.scoring.recordings import Window

EXPECTED = 'write {"folder/file.csv": [["2024-01-31 10:00:00", "2024-01-31 12:00:00"]]}, or a .csv with start,end'


def read_windows(path: Path) -> Mapping[str, tuple[Window, ...]]:
    """Windows by the recording's name; one list for all recordings has the name "".

    A JSON object of lists of [start, end] by file, a JSON list of them, or a CSV file of two columns.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    try:
        if path.suffix == ".csv":
            rows = pd.read_csv(path, encoding="utf-8-sig").iloc[:, :2].to_numpy().tolist()
            return {"": tuple(map(_window, rows))}
        found = json.loads(path.read_text())
        by_name = found if isinstance(found, dict) else {"": found}
        return {name: tuple(map(_window, rows)) for name, rows in by_name.items()}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is no file of windows ({error}): {EXPECTED}") from None


def windows_of(windows: Mapping[str, tuple[Window, ...]], file: Path, path: Path) -> tuple[Window, ...]:
    """Those of a recording: by the end of its path, or the only list there is without a name.

    Raises:
        UsageError: the file of windows does not name the recording.
    """
    fits = [name for name in windows if name and Path(name).name == file.name]
    if not fits and "" not in windows:
        raise UsageError(f"{path} has no windows for {file.name}: it has some for {', '.join(windows)}")
    return windows[fits[0] if fits else ""]


def _window(pair: list[str]) -> Window:
    start, end = (pd.Timestamp(text).tz_localize(None).to_datetime64().astype("datetime64[us]") for text in pair)
    if np.isnat(start) or np.isnat(end) or end < start:
        raise ValueError(f"{pair} does not end after it starts")
    return start, end
