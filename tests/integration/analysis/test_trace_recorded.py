"""The way of readings of a recorded run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factorylab.analysis.trace import trace
from factorylab.audit.judged import load
from factorylab.cli.main import app
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.history.saved_run import Run, each
from tests.support.histories import names
from tests.support.places import RECORDED_RUNS

ZIPPED = RECORDED_RUNS / "broker_loss.zip"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a real cluster."""
    folder = tmp_path_factory.mktemp("recorded")
    with zipfile.ZipFile(ZIPPED) as archive:
        archive.extractall(folder)
    return load(next(folder.iterdir()))


def test_gaps_add_up(recorded: Run) -> None:
    """Every reading's gaps sum to the time since its start, and none is negative: steps are in the order of time."""
    for row in each(recorded.sends.iloc[:: len(recorded.sends) // 20]):
        steps = [step for step in trace(recorded, names(recorded, row.sensor), row.seq).steps if step.at]
        gaps = [step.gap_s for step in steps if step.gap_s is not None]
        assert sum(gaps) == pytest.approx(steps[-1].since_start_s, abs=1e-5)
        assert min(gaps) >= 0


def test_what_is_not_there_is_told(recorded: Run) -> None:
    """A sensor that is not of the run is answered with similar ones, a reading with the sensor's last."""
    name = names(recorded, 0)
    with pytest.raises(UsageError, match=f"no sensor '{name[:-1]}'; it has 300, such as {name[:-2]}"):
        trace(recorded, name[:-1], 0)
    with pytest.raises(UsageError, match=rf"no reading 99999 of {name}: its readings go from 0 to \d+"):
        trace(recorded, name, 99_999)


def test_the_command_needs_no_cluster_for_a_saved_run(
    recorded: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`factorylab trace --run` gives people and machines the same; without a run and a lab it says what to do."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path))
    words = ["trace", names(recorded, 3), "5", "--run", str(recorded.folder.path)]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    lines = CliRunner().invoke(app, words).output.splitlines()
    assert told["correlation_id"] == f"{names(recorded, 3)}:5"
    assert len(lines) == 1 + len(told["steps"])
    assert all(step["step"] in line for step, line in zip(told["steps"], lines[1:], strict=True))
    refused = CliRunner().invoke(app, words[:3])
    assert isinstance(refused.exception, EnvironmentUnfit) and "--run latest" in str(refused.exception)
