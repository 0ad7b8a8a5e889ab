"""Signals to look at: every fault is shown, recorded data is found or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.core.messages import SENSOR_KINDS
from factorylab.factory.sensors.anomalies import MACHINE, SENSOR
from factorylab.operations import sensor_preview as preview


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_every_fault_that_changes_a_value_is_shown(kind: str) -> None:
    """Each fault of a kind has a frame that differs from the healthy machine's in the marked readings alone."""
    shown = preview.faults(kind, "machine") | preview.faults(kind, "sensor")
    assert set(shown) == {a.name for a in (*MACHINE[kind], *SENSOR)} - {"clock_back"}
    for name, frame in shown.items():
        usual = preview.simulated(kind, len(frame))
        differs = (frame[list(usual)] != usual).any(axis=1)
        faulty = frame["faulty"].astype(bool)
        assert differs[faulty].any() and not differs[~faulty].any(), name
        assert 0 < faulty.sum() <= preview.FAULT_READINGS


def test_recorded_data_is_found_or_refused(tmp_path: Path) -> None:
    """A folder without a file is refused by the file's name; a complete one is read; none at all is none."""
    with pytest.raises(UsageError, match=r"machine_temperature_system_failure.csv"):
        preview.data_folder(str(tmp_path))
    for file, column, *_ in preview.FILES.values():
        path = tmp_path / file
        path.parent.mkdir()
        path.write_text(f"t;{column}\n1;0.5\n" if path.parent.name == "skab" else f"t,{column}\n1,0.5\n")
    folder = preview.data_folder(str(tmp_path))
    found = preview.recorded("energy_kwh", folder)
    assert found is not None and found.values.tolist() == [0.5]
    assert preview.recorded("acceleration_g", folder) is not None and preview.recorded("energy_kwh", None) is None
