"""Which runs a word names, where it may be several."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.history import batch_record, run_folders
from factorylab.history.batch_record import Planned
from factorylab.history.run_folders import RunFolder
from factorylab.history.run_sets import find_all
from factorylab.scenarios.catalog import build


@pytest.fixture
def made(tmp_path: Path) -> list[RunFolder]:
    """Two runs of one scenario and one of another; the last did not finish."""
    runs = [run_folders.create(tmp_path, build(name, {})) for name in ("baseline", "baseline", "broker_loss")]
    for run in runs[:2]:
        run_folders.seal(run)
    return runs


def found(results: Path, word: str) -> set[str]:
    return {run.run_id for run in find_all(results, word)}


def test_a_set_is_a_run_a_scenario_a_batch_or_a_folder(tmp_path: Path, made: list[RunFolder]) -> None:
    """Each way of naming gives its runs, those that did not finish among them."""
    ids = [run.run_id for run in made]
    batch_record.write(batch_record.path_of(tmp_path, "two"), [Planned(0, 0, f"baseline/{made[1].path.name}")])
    assert found(tmp_path, ids[0]) == found(tmp_path, str(made[0].path)) == {ids[0]}
    assert found(tmp_path, "baseline") == found(tmp_path, str(tmp_path / "baseline")) == set(ids[:2])
    assert found(tmp_path, str(tmp_path)) == set(ids) and found(tmp_path, "broker_loss") == {ids[2]}
    assert found(tmp_path, "batch-two") == found(tmp_path, str(tmp_path / "batch-two.json")) == {ids[1]}


@pytest.mark.parametrize("word", ["nothing", "batch-none", ""])
def test_a_word_that_fits_nothing_is_refused(tmp_path: Path, made: list[RunFolder], word: str) -> None:
    """It is refused with the ways to name a run."""
    with pytest.raises(UsageError, match="no run"):
        find_all(tmp_path, word)
    assert made


def test_a_folder_without_runs_and_a_file_that_is_no_record_are_refused(tmp_path: Path) -> None:
    """An empty folder has no run, and a batch's record that cannot be read is named."""
    with pytest.raises(UsageError, match="has none in it"):
        find_all(tmp_path, str(tmp_path))
    (tmp_path / "batch-x.json").write_text("{}")
    with pytest.raises(UsageError, match="not the record of a batch"):
        find_all(tmp_path, "batch-x")
