"""A prediction stands in the run's folder before anything is started."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import factorylab as lab
from factorylab.cluster import backends
from factorylab.core.errors import EnvironmentUnfit
from factorylab.execution import perform
from factorylab.execution.perform import foretell
from factorylab.history import run_folders
from factorylab.scenarios.prediction.structures import Prediction


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for runs, on the backend local."""
    for name, value in {"RESULTS": tmp_path / "results", "HOME": tmp_path / "home", "BACKEND": "local"}.items():
        monkeypatch.setenv(f"FACTORYLAB_{name}", str(value))
    return tmp_path / "results"


def test_it_is_written_before_the_lab_is_brought_up(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lab is asked for, the prediction is there already."""
    wanted, there = lab.scenario("broker_loss"), []

    def refused(*_: object, **__: object) -> None:
        there.extend(results.glob("broker_loss/*/raw/prediction.json"))
        told = msgspec.json.decode(there[0].read_bytes(), type=Prediction)
        assert told.faults[0].cases
        raise EnvironmentUnfit("no lab today")

    monkeypatch.setattr(backends, "bring_up", refused)
    with pytest.raises(EnvironmentUnfit, match="no lab today"):
        lab.run(wanted, say=lambda line: None)
    assert len(there) == 1


def test_a_run_without_a_fault_has_no_prediction(results: Path) -> None:
    """There is nothing to foretell."""
    folder = run_folders.create(results, lab.scenario("baseline"))
    foretell(lab.scenario("baseline"), folder, perform.load_settings())
    assert not folder.prediction.exists()


def test_before_the_run_and_after_it_the_same_is_shown(results: Path) -> None:
    """`lab.predict` of a finished run shows what was kept, whatever the settings say by now."""
    wanted = lab.scenario("broker_loss")
    folder = run_folders.create(results, wanted)
    foretell(wanted, folder, perform.load_settings())
    assert lab.predict(wanted).data.equals(lab.predict(wanted, folder.path).data)
    run_folders.seal(folder)
    assert lab.predict(lab.scenario("broker_loss", kind="pause"), folder.path).data.equals(lab.predict(wanted).data)
