"""What the detectors reach on recorded machines."""

from __future__ import annotations

import csv
from pathlib import Path

import papermill
import pytest

from factorylab.detectors.evaluation import suite
from factorylab.detectors.evaluation.score_table import judge
from factorylab.detectors.recordings.collect import files_of
from tests.support.places import ROOT
from tests.support.recorded import ABOVE_80, ABOVE_100, MACHINE, READINGS, machine_file, read
from tests.support.streams import episodes

DATA = MACHINE.parents[1]


@pytest.mark.recorded
def test_threshold_counts_are_the_known_ones() -> None:
    """The counts above 80 and 100 and of their episodes are those of the recording's documentation."""
    machine_file()
    values = suite.machine(DATA).values[:, 0]
    counts = suite.threshold_counts(values, (80, 100), 2, 3)
    assert counts.to_numpy().tolist() == [[18_308, 154, 58, 48], [1_586, 239, 30, 24]]


@pytest.mark.recorded
def test_the_machines_failures_are_found() -> None:
    """4 of 4 windows at no more than 0.35 false alarms a week, by the defaults of the command."""
    machine_file()
    found = judge([suite.machine(DATA)]).scores[0]
    assert (found.windows_found, found.windows) == (4, 4)
    assert found.false_alarms_per_week is not None and found.false_alarms_per_week <= 0.35


@pytest.mark.recorded
def test_the_pumps_faults_are_found_on_files_that_chose_nothing() -> None:
    """F1 ≥ 0.84 and J ≥ 0.64 over the files with odd numbers, and better than both baselines."""
    machine_file()
    files = [read(file) for file in files_of([DATA / "skab" / "valve1"])][1::2]
    detector, *baselines = judge(files).scores
    assert detector.f1 is not None and detector.f1 >= 0.84
    assert detector.j is not None and detector.j >= 0.64
    assert all(b.j is not None and b.j < detector.j and b.f1 is not None and b.f1 < detector.f1 for b in baselines)


@pytest.mark.recorded
def test_the_plants_faults_are_found_in_the_half_that_chose_nothing() -> None:
    """At least 10 of the 20 faults planted in the second half, and F1 ≥ 0.42."""
    machine_file()
    found = judge([suite.steel(DATA, "second-half")], "energy").scores[0]
    assert found.windows_found >= 10 and found.f1 is not None and found.f1 >= 0.42


@pytest.mark.recorded
def test_the_notebook_runs(tmp_path: Path) -> None:
    """`notebooks/detectors.ipynb` runs to its end on the recordings, and shows its four figures. Over 10 s: every
    detector is scored on every recording."""
    machine_file()
    notebook = ROOT / "notebooks" / "detectors.ipynb"
    done = papermill.execute_notebook(
        str(notebook), str(tmp_path / "done.ipynb"), {"data": str(DATA)}, progress_bar=False, kernel_name="python3"
    )
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert sum("<img alt=" in output.get("data", {}).get("text/html", "") for output in outputs) == 4


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("limit", "above", "plain", "hysteresis", "dwell"), [(80, ABOVE_80, 154, 58, 48), (100, ABOVE_100, 239, 30, 24)]
)
def test_exact_counts_on_a_recorded_machine(limit: float, above: int, plain: int, hysteresis: int, dwell: int) -> None:
    """On 22,695 recorded readings the counts above a limit and of its episodes are the known ones."""
    with machine_file().open(newline="") as stream:
        values = [float(row["value"]) for row in csv.DictReader(stream)]
    assert len(values) == READINGS
    assert sum(value > limit for value in values) == above
    assert len(episodes(values, limit)) == plain
    assert len(episodes(values, limit, hysteresis=2)) == hysteresis
    assert len(episodes(values, limit, hysteresis=2, dwell=3)) == dwell
