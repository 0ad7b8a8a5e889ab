"""The command `predict`: what it says without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

from factorylab.history import run_folders
from factorylab.scenarios.prediction.structures import Case, FaultPrediction, Prediction, Quantity
from tests.support.commands import Call, call, results, saved
from tests.support.histories import broker_loss

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


def test_after_the_run_it_stands_beside_what_was_measured(call: Call, tmp_path: Path) -> None:
    """`show` has a line for each quantity that was predicted."""
    told = Quantity(name="recovery", role="any", low_s=2, high_s=4, formula="f", source="s")
    fault = FaultPrediction(fault=0, kind="kill", target="leader:0", hold_s=6, cases=[Case(quantities=[told])])
    wanted = Prediction(
        model=1, scenario="s", backend="local", coverage=0.95, draws=1, seed=1, inputs=[], faults=[fault]
    )
    run = broker_loss(tmp_path / "kept").saved()
    run.folder.prediction.write_bytes(wanted.encoded())
    run_folders.seal(run.folder)
    code, out, _ = call("show", str(run.folder.path))
    assert code == 0 and "inside" in out and "recovery (any): 2.0–4.0 s, measured 3." in out
