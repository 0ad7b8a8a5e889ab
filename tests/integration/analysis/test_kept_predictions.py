"""Predictions that lie in a run's folder, sealed with the rest."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from factorylab.analysis.calibration import calibration, observations, with_prediction
from factorylab.analysis.predicted import kept_prediction, predicted
from factorylab.analysis.predicted_words import compared
from factorylab.audit.judged import JudgedRun
from factorylab.core.errors import UsageError
from factorylab.history import run_folders
from factorylab.scenarios.prediction.structures import Prediction
from tests.support.expectations import expecting, time, told
from tests.support.histories import History, broker_loss, healthy


def kept(h: History, prediction: Prediction) -> JudgedRun:
    """The run with this prediction in its folder, sealed with the rest."""
    run = h.saved()
    run.folder.prediction.write_bytes(prediction.encoded())
    run_folders.seal(run.folder)
    return JudgedRun(run.folder)


def test_a_prediction_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """Written and read, it is the same; a run without one has none, and no row."""
    wanted = expecting(time("longest_ack_gap", "led", 2.5, None))
    assert kept_prediction(kept(broker_loss(tmp_path), wanted)) == wanted
    plain = healthy(tmp_path / "plain").run()
    assert kept_prediction(plain) is None and predicted(plain).empty and compared(plain) == []


def test_a_spoilt_prediction_is_refused(tmp_path: Path) -> None:
    """It is named with what is wrong."""
    run = kept(broker_loss(tmp_path), expecting())
    run.folder.prediction.write_text('{"model": "one"}')
    with pytest.raises(UsageError, match=r"prediction\.json is no prediction"):
        kept_prediction(run)


def test_a_prediction_that_is_changed_later_breaks_the_seal(tmp_path: Path) -> None:
    """Nobody can fit it afterwards."""
    run = kept(broker_loss(tmp_path), expecting(time("recovery", "led", 8, 10)))
    assert run_folders.broken_seal(run.folder) == []
    run.folder.prediction.write_bytes(expecting(time("recovery", "led", 2, 4)).encoded())
    assert run_folders.broken_seal(run.folder) == ["prediction.json"]


def test_calibration_counts_over_runs(tmp_path: Path) -> None:
    """Of two runs one is inside; what was not observed is counted apart, and runs without a prediction are none."""
    for number, low in enumerate((2.0, 8.0)):
        wanted = expecting(time("longest_ack_gap", "led", low, low + 2), time("fencing", "any", 1, 2))
        kept(told(broker_loss(tmp_path / str(number))), wanted)
    healthy(tmp_path / "0").saved()
    folders = [folder for number in (0, 1) for folder in run_folders.list_runs(tmp_path / str(number))]
    kept_ones = with_prediction(folders)
    assert len(kept_ones) == 2
    frame = calibration(observations(kept_ones, lambda folder: "FAIL")).set_index(["quantity", "low_s"])
    row, other, unseen = (frame.loc[key] for key in (("longest_ack_gap", 2), ("longest_ack_gap", 8), ("fencing", 1)))
    assert (row["runs"], row["inside"], row["share"]) == (1, 1, 1) and row["width_s"] == 2
    assert (other["runs"], other["inside"]) == (1, 0)  # another interval has a row of its own
    assert pd.isna(row["spread_s"])  # of two values no spread is told
    assert (unseen["runs"], unseen["not_observed"]) == (0, 2) and pd.isna(unseen["share"])
