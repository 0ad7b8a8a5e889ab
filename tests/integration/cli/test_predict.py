"""The command `predict`: what it says without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factorylab.history import run_folders
from factorylab.scenarios.prediction.structures import Case, FaultPrediction, Prediction, Quantity
from tests.support.commands import Call, call, results, saved
from tests.support.histories import History, broker_loss, healthy, scenario

__all__ = ["call", "results", "saved"]  # fixtures


def test_a_prediction_for_machines(call: Call) -> None:
    """Every fault with its cases, intervals and inputs; the backend is the one that was asked for."""
    code, out, _ = call("predict", "broker_loss", "-p", "target=controller", "--backend", "local", "--json")
    told = json.loads(out)
    assert (
        code == 0
        and told["backend"] == "local"
        and [case["controller"] for case in told["faults"][0]["cases"]] == [True]
    )
    assert {one["name"] for one in told["inputs"]} >= {"broker.session.timeout.ms"}


def test_a_prediction_for_people(call: Call) -> None:
    """Intervals, their reasons, and who set what they rest on."""
    code, out, _ = call("predict", "broker_loss", "--backend", "local")
    words = " ".join(out.split())
    assert code == 0 and "longest_ack_gap" in words and "Kafka's default" in words and "95% of runs" in words


def test_a_scenario_without_a_fault_says_so(call: Call) -> None:
    """It is no error, and no empty table."""
    code, out, _ = call("predict", "baseline", "--backend", "local")
    assert code == 0 and "no fault" in out


def test_calibration_without_predictions_says_so(call: Call, saved: object) -> None:
    """Saved runs that have none count for nothing."""
    code, out, err = call("predict", "--calibration")
    assert code == 0 and not out and "no run under" in err


def foretold(model: int, *faults: int) -> Prediction:
    """Of each of these faults: recovery within 2 … 4 s."""
    told = Quantity(name="recovery", role="any", low_s=2, high_s=4, formula="f", source="s")
    return Prediction(
        model=model, scenario="s", backend="local", coverage=0.95, draws=1, seed=1, inputs=[],
        faults=[
            FaultPrediction(fault=number, kind="kill", target="leader:0", hold_s=6, cases=[Case(quantities=[told])])
            for number in faults
        ],
    )  # fmt: skip


def kept(history: History, prediction: Prediction) -> Path:
    """The folder of the run, which has this prediction."""
    run = history.saved()
    run.folder.prediction.write_bytes(prediction.encoded())
    run_folders.seal(run.folder)
    return run.folder.path


def test_calibration_tells_the_models_apart(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that two models predicted are no two runs of one."""
    for model in (13, 14):
        kept(broker_loss(tmp_path / "own"), foretold(model, 0))
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path / "own"))
    code, out, _ = call("predict", "--calibration")
    words = " ".join(out.split())
    assert code == 0 and "model 13: 1 of 1 values; model 14: 1 of 1 values" in words


def test_a_run_with_several_faults_says_which_one_a_row_is_of(call: Call, tmp_path: Path) -> None:
    """The same quantity stands there for each."""
    faults = [{"kind": "kill", "target": "leader:0", "at_s": at_s, "hold_s": 4} for at_s in (0, 8)]
    history = healthy(tmp_path / "two", scenario(name="two", faults=faults))
    for number, at_s in enumerate((6, 14)):
        history.fault("broker-1", at_s, at_s + 4, number=number, target="leader:0")
    code, out, _ = call("show", str(kept(history, foretold(14, 0, 1))))
    assert code == 0 and "fault 0: recovery (any)" in out and "fault 1: recovery (any)" in out


def test_after_the_run_it_stands_beside_what_was_measured(call: Call, tmp_path: Path) -> None:
    """`show` has a line for each quantity that was predicted."""
    code, out, _ = call("show", str(kept(broker_loss(tmp_path / "kept"), foretold(1, 0))))
    assert code == 0 and "inside" in out and "recovery (any): 2.0–4.0 s, measured 3." in out
