"""Predicted against measured, on histories whose answer is known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest

from factorylab.analysis.calibration import binomial, calibration, observations
from factorylab.analysis.measured_times import Measured, measured_times, phase_times
from factorylab.analysis.predicted import outcome, predicted
from factorylab.analysis.predicted_words import (
    calibration_words,
    expectations,
    inside_by_model,
    interval_words,
)
from factorylab.analysis.victim_roles import VictimRoles, victim_roles
from factorylab.core.clock import NS
from factorylab.scenarios.prediction.structures import Case, Input, Quantity
from tests.support.expectations import LEADER, expecting, time, told
from tests.support.histories import broker_loss, consumer_loss, forget_acked, healthy, scenario, stall


def test_roles_are_what_the_cluster_told(tmp_path: Path) -> None:
    """Partitions led and followed, coordinator and controller, from the words before the injection."""
    roles = victim_roles(told(broker_loss(tmp_path)).run(), 0)
    assert roles.partitions == {"led": [0], "followed": [1, 2]}
    assert roles.known and roles.controller and roles.coordinator


def test_old_answers_are_no_roles(tmp_path: Path) -> None:
    """Where the cluster could not be asked just then, the roles are not known."""
    roles = victim_roles(told(broker_loss(tmp_path), f"{LEADER}; from before: controller").run(), 0)
    assert not roles.known and roles.partitions == {}


def test_of_two_victims_what_one_leads_is_not_followed(tmp_path: Path) -> None:
    """A partition that one leads and the other follows has lost its leader."""
    h = broker_loss(tmp_path)
    words = iter(["running; leads p1; follows p0", "running; leads p2; follows p1"])
    h["faults"] = pd.concat([h["faults"], h["faults"].assign(node="broker-2")], ignore_index=True)
    intended = h["faults"]["step"] == "intended"
    h["faults"].loc[intended, "evidence"] = [next(words) for _ in range(int(intended.sum()))]
    assert victim_roles(h.run(), 0).partitions == {"led": [1, 2], "followed": [0]}


def test_gaps_are_measured_by_role(tmp_path: Path) -> None:
    """From 6 s to 9 s nobody is acknowledged, nothing stored; recovery counts from the fault."""
    run = told(broker_loss(tmp_path)).run()
    found = measured_times(run, 0, victim_roles(run, 0))
    wholes = {key: one for key, one in found.items() if key[0] in {"longest_ack_gap", "longest_store_gap", "recovery"}}
    assert set(wholes) == {
        ("longest_ack_gap", "led"), ("longest_store_gap", "led"),
        ("longest_ack_gap", "followed"), ("longest_store_gap", "followed"), ("recovery", "led"),
    }  # fmt: skip
    assert all(one.value_s == pytest.approx(3, abs=0.2) and not one.censored for one in wholes.values())


def test_a_phase_is_the_longest_of_the_partitions_of_a_role() -> None:
    """Of the stalls of this fault alone; where one had not ended, the longest of all is known to be longer only."""
    rows = [
        (0, 0, "fencing", 8.0, False),
        (0, 1, "fencing", 8.2, False),
        (0, 2, "fencing", 7.0, True),
        (1, 0, "fencing", 99.0, False),
    ]
    frame = pd.DataFrame(rows, columns=["fault", "partition", "phase", "lasted_s", "open"])
    found = phase_times(frame, 0, VictimRoles({"led": [0], "followed": [2]}))
    assert found == {
        ("fencing", "any"): (8.2, True), ("fencing", "led"): (8.0, False), ("fencing", "followed"): (7.0, True),
    }  # fmt: skip


def test_a_partition_that_never_goes_on_is_not_hidden_by_a_longer_gap(tmp_path: Path) -> None:
    """One of the two that the victim followed stood still for 6 s; of the other nothing came after 13 s, and it was
    watched for 4 s more: the longest gap of both is longer than 6 s."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "kill", "target": "leader:0", "hold_s": 6}]))
    h.fault("broker-1", 6, 12)
    told(h)
    stall(h, 6, 12, (1,))
    sends = h["sends"]
    ends = (sends["partition"] == 2) & (sends["t_ns"] > sends["t_ns"].max() - 4 * NS)
    sends.loc[ends, ["t_ack_ns", "outcome"]] = [0, "unknown"]
    run = h.run()
    found = measured_times(run, 0, victim_roles(run, 0))["longest_ack_gap", "followed"]
    assert found.value_s == pytest.approx(6, abs=0.2) and found.censored


def test_what_another_fault_does_is_not_this_ones(tmp_path: Path) -> None:
    """The first costs 1 s and loses what was acknowledged for 0.5 s, the second 3 s and 2 s."""
    cuts = [{"kind": "kill", "target": "leader:0", "at_s": at_s, "hold_s": 4} for at_s in (0, 8)]
    h = healthy(tmp_path, scenario(faults=cuts, clients={"acks": "1"}))
    for number, at_s in enumerate((6, 14)):
        h.fault("broker-1", at_s, at_s + 4, number=number, target="leader:0")
    told(h)
    for at_s, lost_s, stall_s in ((6, 0.5, 1), (14, 2, 3)):
        forget_acked(h, at_s, at_s + lost_s)
        begins_s = at_s + lost_s + 0.2  # by then each of the lost ones has its acknowledgement
        stall(h, begins_s, begins_s + stall_s, (0,))
    run = h.run()
    first, second = (measured_times(run, number, victim_roles(run, number)) for number in (0, 1))
    gaps, lost = (
        [found[name, "led"].value_s for found in (first, second)] for name in ("longest_ack_gap", "lost_until")
    )
    assert gaps == [pytest.approx(1, abs=0.2), pytest.approx(3, abs=0.2)]
    assert lost == [pytest.approx(0.5, abs=0.11), pytest.approx(2, abs=0.11)]


def test_all_partitions_are_the_databases(tmp_path: Path) -> None:
    """Nothing is stored for 3 s, and everything acknowledged."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "kill", "target": "database", "hold_s": 3}]))
    h.fault("database", 6, 9, target="database")
    stall(h, 6, 9, (0, 1, 2), acks=False)
    run = h.run()
    found = measured_times(run, 0, victim_roles(run, 0))
    assert found["longest_ack_gap", "any"].value_s < 0.5
    for name in ("longest_store_gap", "recovery"):
        assert found[name, "any"] == (pytest.approx(3, abs=0.2), False)


def test_a_processor_has_what_it_owned(tmp_path: Path) -> None:
    """Its partition is not stored for 5 s, and is acknowledged all the time."""
    run = told(consumer_loss(tmp_path), "running; owns p1").run()
    found = measured_times(run, 0, victim_roles(run, 0))
    assert found["longest_store_gap", "owned"].value_s == pytest.approx(5, abs=0.2)
    assert found["longest_ack_gap", "owned"].value_s < 0.5


def test_the_case_that_was_real_is_compared(tmp_path: Path) -> None:
    """The victim was the active controller: the other case does not count."""
    run = told(broker_loss(tmp_path)).run()
    (row,) = predicted(run, expecting(time("longest_ack_gap", "led", 2.5, 3.5))).itertuples()
    assert row.outcome == "inside" and row.victim == "the active controller" and row.high_s == 3.5


def test_rows_that_do_not_fit_the_victim_are_of_another_case(tmp_path: Path) -> None:
    """It followed p1 and p2 and led none: nothing is said of led partitions, and recovery is that of what it followed.
    Nor does calibration count such a row."""
    run = told(broker_loss(tmp_path), "running; leads nothing; follows p1, p2; is the active controller").run()
    names = ("longest_ack_gap", "recovery")
    rows = predicted(run, expecting(*(time(name, role, 2, 4) for name in names for role in ("led", "followed"))))
    assert list(zip(rows["quantity"], rows["role"], rows["outcome"], strict=True)) == [
        (name, *told) for name in names for told in (("led", "another case"), ("followed", "inside"))
    ]
    of_led = rows[rows["role"] == "led"]
    assert set(of_led["why"]) == {"the victim led no partition"} and of_led["measured_s"].isna().all()
    counted = calibration(rows.assign(scenario="s", model=14, verdict="PASS"))
    assert set(counted["role"]) == {"followed"} and set(counted["not_observed"]) == {0}


def test_of_a_leader_recovery_is_that_of_what_it_led(tmp_path: Path) -> None:
    """Its other row is of a victim that led none."""
    rows = predicted(told(broker_loss(tmp_path)).run(), expecting(time("recovery", "followed", 2, 4)))
    assert list(rows["outcome"]) == ["another case"] and "led partitions as well" in rows["why"].iloc[0]


def test_all_rows_stay_where_the_roles_are_not_known(tmp_path: Path) -> None:
    """Then nobody can tell which one fits: each is "not observed"."""
    run = told(broker_loss(tmp_path), f"{LEADER}; from before: views").run()
    rows = (time("longest_ack_gap", "led", 2, 4), time("recovery", "followed", 2, 4))
    assert list(predicted(run, expecting(cases=[Case(quantities=list(rows))]))["outcome"]) == ["not observed"] * 2


def test_a_wrong_prediction_is_outside(tmp_path: Path) -> None:
    """3 s are not within 8 … 10 s."""
    run = told(broker_loss(tmp_path)).run()
    assert list(predicted(run, expecting(time("recovery", "led", 8, 10)))["outcome"]) == ["outside"]


def test_unknown_roles_choose_no_case(tmp_path: Path) -> None:
    """Then nothing is compared, and the row says why."""
    h = told(broker_loss(tmp_path))
    h["faults"] = h["faults"].assign(step="skipped")
    run = h.run()
    (row,) = predicted(run, expecting(time("recovery", "led", 8, 10))).itertuples()
    assert row.outcome == "not observed" and "roles" in row.why


def test_what_has_no_model_stays_without_an_interval(tmp_path: Path) -> None:
    """Of a fault, and of one of its quantities."""
    run = told(broker_loss(tmp_path)).run()
    none = predicted(run, expecting(cases=[], why_not="no model"))
    assert list(none["outcome"]) == ["no prediction"] and list(none["why"]) == ["no model"]
    lacking = Quantity(name="recovery", role="led", why_not="depends on the load")
    assert list(predicted(run, expecting(lacking))["outcome"]) == ["no prediction"]


def test_a_run_with_other_settings_is_not_compared(tmp_path: Path) -> None:
    """It says nothing of the model: both values are named. The same number in other digits is no difference."""
    h = told(broker_loss(tmp_path))
    h.made_of["broker_config"] = {"broker.session.timeout.ms": "4000"}
    wanted = expecting(time("recovery", "led", 2, 4))
    given = [Input("broker", "broker.session.timeout.ms", value, "test") for value in ("9000", "4000.0")]
    (other,), (same,) = (
        predicted(h.run(), msgspec.structs.replace(wanted, inputs=[one])).itertuples() for one in given
    )
    assert other.outcome == "other settings" and "=9000, ran with 4000" in other.why
    assert same.outcome == "inside"


NAN = float("nan")
CASES = [
    ((2, 4), Measured(3, False), "inside"),
    ((2, 4), Measured(2, False), "inside"),
    ((2, 4), Measured(4.01, False), "outside"),
    ((2, 4), Measured(1.99, False), "outside"),
    ((2, 4), Measured(3, True), "not observed"),  # it may have ended within, or later
    ((2, 4), Measured(5, True), "outside"),
    ((2, 4), Measured(NAN, False), "not observed"),
    ((2, None), Measured(9, True), "inside"),
    ((2, None), Measured(1, True), "not observed"),
    ((2, None), Measured(1, False), "outside"),
    ((None, None), Measured(3, False), "no prediction"),
]


@pytest.mark.parametrize(("bounds", "found", "word"), CASES)
def test_where_the_truth_lies(bounds: tuple[float | None, float | None], found: Measured, word: str) -> None:
    """Bounds belong to the interval; what did not end is more than it seems; what was not seen says nothing."""
    assert outcome(time("recovery", "any", *bounds), found) == word


def test_intervals_read_as_text() -> None:
    """With both ends, with one, with none."""
    words = [interval_words(*bounds) for bounds in ((7.25, 9.8), (2, None), (None, None), (NAN, NAN))]
    assert words == ["7.2–9.8 s", "> 2.0 s, open-ended", "no prediction", "no prediction"]


def test_expectations_have_a_row_for_each_case() -> None:
    """Both cases stand there before the run, since nobody knows which one comes."""
    frame = expectations(expecting(time("recovery", "led", 8, 10)))
    assert list(frame["victim"]) == ["the active controller", "not the controller"]
    both = Case(controller=False, coordinator=True).victim
    assert both == "not the controller, the group's coordinator" and not Case().victim
    assert expectations(None).empty


def test_calibration_of_nothing_is_empty() -> None:
    """No run, no row."""
    assert calibration(observations([], lambda folder: "PASS")).empty


def test_the_spread_is_that_of_the_measured_values() -> None:
    """Of 5 and more values: the range that holds 95 % of them, beside the width of the intervals."""
    rows = pd.DataFrame({
        "scenario": "s", "model": 1, "fault": "f", "victim": "", "quantity": "q", "role": "led", "verdict": "PASS",
        "low_s": 0.0, "high_s": 10.0, "measured_s": [float(n) for n in range(11)], "censored": False,
        "outcome": "inside",
    })  # fmt: skip
    row = calibration(rows).iloc[0]
    assert row["spread_s"] == pytest.approx(9.5) and row["width_by_spread"] == pytest.approx(10 / 9.5)


def test_an_invalid_run_proves_nothing() -> None:
    """It is counted apart, and neither inside nor outside."""
    rows = pd.DataFrame({
        "scenario": "s", "model": 1, "fault": "f", "victim": "", "quantity": "q", "role": "led", "low_s": 0.0,
        "high_s": 10.0, "measured_s": [5.0, 50.0], "censored": False, "outcome": ["inside", "outside"],
        "verdict": ["PASS", "INVALID"],
    })  # fmt: skip
    row = calibration(rows).iloc[0]
    assert (row["runs"], row["inside"], row["invalid"]) == (1, 1, 1)
    words = calibration_words(calibration(rows)).iloc[0]
    assert words["inside"] == "1 of 1" and words["left out"] == "1 INVALID" and words["share"].startswith("100% (")


def test_models_are_counted_each_by_itself() -> None:
    """The same interval of two models has two rows, and each model its own sum."""
    rows = pd.DataFrame({
        "scenario": "s", "model": [13, 13, 14], "fault": "f", "victim": "", "quantity": "q", "role": "led",
        "low_s": 0.0, "high_s": 10.0, "measured_s": [5.0, 50.0, 5.0], "censored": False,
        "outcome": ["inside", "outside", "inside"], "verdict": "PASS",
    })  # fmt: skip
    found = calibration(rows)
    assert inside_by_model(found) == "model 13: 1 of 2 values; model 14: 1 of 1 values"
    words = calibration_words(found)
    assert list(zip(words["model"], words["inside"], strict=True)) == [("13", "1 of 2"), ("14", "1 of 1")]


@pytest.mark.parametrize(
    ("inside", "n", "low", "high"), [(9, 10, 0.5550, 0.9975), (0, 0, 0.0, 1.0), (5, 5, 0.4782, 1.0)]
)
def test_a_share_has_its_exact_interval(inside: int, n: int, low: float, high: float) -> None:
    """Clopper–Pearson, as in tables."""
    assert binomial(inside, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
