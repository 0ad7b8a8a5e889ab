"""Recorded data of real machines, where there is a folder of it beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.detectors.recordings.collect import read_recordings
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.recording import Recording
from tests.support.places import SHARED

MACHINE = SHARED / "data" / "nab" / "machine_temperature_system_failure.csv"
READINGS, ABOVE_80, ABOVE_100 = 22_695, 18_308, 1_586  # counted with strict comparison


def machine_file() -> Path:
    """The recording; skips the test where it is absent."""
    if not MACHINE.exists():
        pytest.skip("no folder of recorded machine data")
    return MACHINE


def read(path: Path, columns: Columns | None = None) -> Recording:
    """The only recording of a file."""
    (found,) = read_recordings([path], columns or Columns(), Layout())
    return found
