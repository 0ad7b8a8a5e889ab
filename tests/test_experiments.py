"""The committed experiments: every one validates, and the dry run lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab import api, batch
from factorylab.scenarios import SCENARIOS

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
BATCHES = sorted(EXPERIMENTS.glob("*.yaml"))
FILES = sorted((EXPERIMENTS / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("file", BATCHES, ids=lambda file: file.name)
def test_every_batch_validates(file: Path) -> None:
    """All runs of a committed batch are valid, and the batch is called like its file."""
    loaded = batch.load_batch(file)
    assert loaded.name == file.stem and len(batch.plan(loaded)) == len(loaded.runs)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_scenario_file_validates(file: Path) -> None:
    """A committed scenario file is valid, is called like its file, and hides no named scenario."""
    assert api.scenario(str(file)).name == file.stem not in SCENARIOS


def test_quick_and_full_are_there() -> None:
    """The full batch holds both demonstrations and every scenario that needs no file; quick has four of them."""
    assert [file.stem for file in BATCHES] == ["full", "quick"]
    full = {entry.scenario for entry in batch.load_batch(EXPERIMENTS / "full.yaml").runs}
    assert {*(f"scenarios/{file.name}" for file in FILES), *SCENARIOS} - full == {"recorded_machine"}
    assert len(batch.load_batch(EXPERIMENTS / "quick.yaml").runs) == 4


def test_the_demonstrations_expect_no_pass() -> None:
    """One demonstration must FAIL by a loss, the other must be INVALID."""
    expected = {file.stem: api.scenario(str(file)).expect for file in FILES}
    assert expected["never_lands"] == "invalid" and "lost_in_log" in expected["acked_loss"]
