"""The command `predict`: what it says without a cluster."""

from __future__ import annotations

import json

from tests.support.commands import Call, call, results, saved

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
