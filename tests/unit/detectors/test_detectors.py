"""Detectors: independence of batches, state that survives a hand-over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from factorylab.core.messages import SENSOR_KINDS
from factorylab.detectors.levels import Rule
from factorylab.detectors.partition_detectors import PartitionDetectors
from factorylab.detectors.rules import ENERGY_SPIKE, LEFT_ON, TEMPERATURE_HIGH, VELOCITY_HIGH
from tests.support.streams import Floats, episodes, stream


def test_limits_are_strict() -> None:
    """A value at the limit raises nothing, one above it does."""
    assert episodes([80.0], 80) == []
    assert episodes([np.nextafter(80, 81)], 80) == [(0, 80)]


def test_one_event_an_episode() -> None:
    """A sensor that stays above its limit is one event; it must come back under it before the next."""
    assert episodes([81, 90, 81, 79, 81], 80) == [(0, 80), (4, 80)]


def test_hysteresis_keeps_an_episode_open() -> None:
    """Between limit − hysteresis and limit an episode goes on; at limit − hysteresis it ends."""
    assert episodes([81, 78.1, 81, 78, 81], 80, hysteresis=2) == [(0, 80), (4, 80)]


def test_dwell_wants_readings_in_a_row() -> None:
    """With dwell 3 the third reading in a row raises the event, and one reading below starts the count again."""
    assert episodes([81, 81, 79, 81, 81, 81, 81], 80, dwell=3) == [(5, 80)]


def test_a_rise_in_severity_is_an_event_of_its_own() -> None:
    """Warning, then critical are two events; a jump to critical is one, the highest."""
    assert episodes([81, 101, 85, 101], 80, 100) == [(0, 80), (1, 100), (3, 100)]
    assert episodes([101, 102], 80, 100) == [(0, 100)]


def feed(
    detectors: PartitionDetectors, names: list[str], seqs: NDArray[np.int64], values: Floats
) -> list[tuple[str, int, str, float]]:
    """What the detectors raise about some temperature readings: (sensor, seq, rule, limit)."""
    slots = detectors.slots(names)
    fresh = detectors.fresh(slots, seqs)
    events = detectors.score("temperature", slots[fresh], {"temperature_c": values[fresh], "seq": seqs[fresh]})
    return [(names[fresh[e.row]], int(seqs[fresh[e.row]]), e.rule.name, e.level.limit) for e in events]


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_batches_and_hand_overs_change_nothing(size: int) -> None:
    """Cut into batches of any size, with the state saved and loaded between them, the same events come out."""
    names, seqs, values = stream(1, sensors=5, readings=600)
    whole = feed(PartitionDetectors(), names, seqs, values)
    assert len(whole) > 50
    parts, detectors = [], PartitionDetectors()
    for at in range(0, len(names), size):
        detectors = PartitionDetectors.load([detectors.dump()])
        parts += feed(detectors, names[at : at + size], seqs[at : at + size], values[at : at + size])
    assert parts == whole


def test_the_fast_path_finds_what_a_walk_finds() -> None:
    """Passing over quiet sensors gives the events of a detector that sees each sensor alone."""
    names, seqs, values = stream(2, sensors=7, readings=900)
    together = feed(PartitionDetectors(), names, seqs, values)
    alone = []
    for name in sorted(set(names)):
        rows = [at for at, other in enumerate(names) if other == name]
        alone += feed(PartitionDetectors(), [name] * len(rows), seqs[rows], values[rows])
    assert sorted(together) == sorted(alone)


def test_readings_out_of_order_are_not_scored_again() -> None:
    """A repeated or late seq is passed over; a gap in the seqs is not."""
    detectors = PartitionDetectors()
    slots = detectors.slots(["a", "b", "a", "a", "a", "b"])
    assert detectors.fresh(slots, np.array([0, 5, 0, 2, 1, 6])).tolist() == [0, 1, 3, 5]
    assert detectors.fresh(detectors.slots(["a", "a", "b"]), np.array([2, 3, 6])).tolist() == [1]


def test_saved_state_of_another_format_is_refused() -> None:
    """State that this program cannot read is an error and never an empty start."""
    blob = bytearray(PartitionDetectors().dump())
    blob[1] = 99  # the version, behind the array's header
    with pytest.raises(ValueError, match="version 99"):
        PartitionDetectors.load([bytes(blob)])


RAISED: dict[str, tuple[dict[str, list[float]], list[tuple[int, Rule]]]] = {
    "temperature": ({"temperature_c": [80.0, 80.1, 100.1]}, [(1, TEMPERATURE_HIGH), (2, TEMPERATURE_HIGH)]),
    "vibration": (
        {
            "velocity_mm_s": [4.5, 4.6, 7.2],
            "acceleration_g": [9.0, 9.0, 9.0],
            "crest_factor": [9.0, 9.0, 9.0],
            "kurtosis": [9.0, 9.0, 9.0],
            "load_percent": [50.0, 50.0, 50.0],
        },
        [(1, VELOCITY_HIGH), (2, VELOCITY_HIGH)],
    ),
    "energy": (
        {"energy_kwh": [60.0, 9.0, 86.0], "running": [True, False, True], "hour_of_week": [0, 0, 0]},
        [(1, LEFT_ON), (2, ENERGY_SPIKE)],
    ),
}


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_each_kind_has_its_rules(kind: str) -> None:
    """Temperature, vibration and energy raise by their own measures and limits."""
    columns, raised = RAISED[kind]
    detectors = PartitionDetectors()
    arrays = {name: np.array(values) for name, values in columns.items()} | {"seq": np.arange(3)}
    events = detectors.score(kind, detectors.slots(["m", "m", "m"]), arrays)
    assert [(event.row, event.rule) for event in events] == raised
