"""Detector state: any cut of a log into batches and owners gives the events of one pass, and the bits survive."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from factorylab.core.messages import SENSOR_KINDS
from factorylab.detectors import detector_catalog
from factorylab.detectors.partition_detectors import PartitionDetectors
from factorylab.detectors.rules import Columns
from factorylab.detectors.saved_state import Part, decode, encode

SENSORS, READINGS = 7, 4200
Log = tuple[list[str], Columns]
Found = list[tuple[str, int, str, int, float]]


def log_of(kind: str, seed: int) -> Log:
    """Interleaved readings of several sensors with every fault that a rule looks for: names, and columns by field."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, SENSORS, READINGS)
    seq = np.array([np.count_nonzero(which[:at] == which[at]) for at in range(READINGS)])
    noise = rng.normal(0, 1, (READINGS, 4))
    burst = (np.arange(READINGS) % 700 > 660) * rng.uniform(0, 12, READINGS)
    stuck = (which == 3) & (seq % 200 > 180)
    columns = {
        "temperature": {"temperature_c": np.where(stuck, 71.5, 70 + 2 * noise[:, 0] + 3 * burst)},
        "vibration": {
            "velocity_mm_s": np.where(stuck, 1.5, 2 + 0.2 * np.abs(noise[:, 0]) + 0.6 * burst),
            "acceleration_g": 0.06 + 0.003 * noise[:, 1] + 0.02 * burst,
            "crest_factor": 4.2 + 0.2 * noise[:, 2],
            "kurtosis": 3 + 0.1 * noise[:, 3],
            "load_percent": 75.0 + 10 * (which % 2),
        },
        "energy": {
            "energy_kwh": np.where(stuck, 50.0, 50 + noise[:, 0] + 5 * burst),
            "running": rng.random(READINGS) < 0.95,
            "hour_of_week": (seq // 100) % 168,
        },
    }[kind]
    lost = (which == 2) & (seq > 300)
    return [f"s{at}" for at in which], columns | {"seq": np.where(lost, seq + 40, seq)}


def fed(detectors: PartitionDetectors, kind: str, log: Log, rows: slice) -> Found:
    """The events of some rows of a log: (sensor, seq, rule, limit's rank, value)."""
    names, columns = log[0][rows], {name: column[rows] for name, column in log[1].items()}
    slots = detectors.slots(names)
    fresh = detectors.fresh(slots, columns["seq"])
    events = detectors.score(kind, slots[fresh], {name: column[fresh] for name, column in columns.items()})
    return [
        (names[fresh[e.row]], int(columns["seq"][fresh[e.row]]), e.rule.name, e.rule.levels.index(e.level), e.value)
        for e in events
    ]


def cuts(seed: int) -> Iterator[slice]:
    """Batches of one reading up to a thousand, as they may come."""
    rng = np.random.default_rng(seed)
    at = 0
    while at < READINGS:
        size = int(np.ceil(10 ** rng.uniform(0, 3)))
        yield slice(at, min(at + size, READINGS))
        at += size


def kept(parts: list[bytes], part: Part) -> list[bytes]:
    """The parts that a store holds after one more was saved."""
    before = parts if part.number else []
    assert part.number == len(before), "a part is missing, or one comes twice"
    return [*before, part.data]


def content(detectors: PartitionDetectors) -> tuple[object, ...]:
    """The whole state of the detectors, whatever the order of its rows."""
    state = decode(0, detectors.dump())
    rows = {}
    for name, (keys, data) in state.scores.items():
        found = np.frombuffer(keys, "<i4").tolist()
        size = len(data) // len(found)
        rows[name] = {key: data[at * size : (at + 1) * size] for at, key in enumerate(found)}
    return state.names, state.last_seq, {name: sorted(track) for name, track in state.tracks.items()}, rows


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_any_cut_gives_the_events_of_one_pass(kind: str) -> None:
    """Random batches, random hand-overs between them, the same events to the last bit of their values; and there are
    events of three rules and more to compare, and states that were restored from a part and changes to it."""
    restored = 0
    for seed in range(4):
        log = log_of(kind, seed)
        whole = sorted(fed(PartitionDetectors(), kind, log, slice(None)))
        assert len({rule for _, _, rule, _, _ in whole}) >= 3
        owners = np.random.default_rng(seed + 100)
        found: Found = []
        detectors, parts = PartitionDetectors(), list[bytes]()
        for rows in cuts(seed):
            if owners.random() < 0.3:
                detectors, restored = PartitionDetectors.load(parts), restored + (len(parts) > 1)
            found += fed(detectors, kind, log, rows)
            parts = kept(parts, detectors.save())
        assert sorted(found) == whole
    assert restored > 3


@pytest.mark.parametrize("kind", SENSOR_KINDS)
def test_a_state_restored_from_parts_is_the_state(kind: str) -> None:
    """After each of many small batches the parts saved so far hold the state of the detectors, bit for bit, and
    the changes never outgrow the whole state that they follow."""
    log, detectors, parts = log_of(kind, 11), PartitionDetectors(), list[bytes]()
    wholes, most = 0, 0
    for start in range(READINGS // 12):
        fed(detectors, kind, log, slice(start, start + 1))
        part = detectors.save()
        wholes += part.number == 0
        parts = kept(parts, part)
        most = max(most, len(parts))
        assert sum(map(len, parts[1:])) <= len(parts[0])
        assert content(PartitionDetectors.load(parts)) == content(detectors)
    assert wholes > 3 and most > 3


def test_what_is_saved_grows_with_the_readings() -> None:
    """Ten readings in a state of 2,000 sensors are saved in less than a hundredth of the whole state."""
    detectors = PartitionDetectors()
    slots = detectors.slots([f"s{at}" for at in range(2_000)])

    def feed(count: int, seq: int) -> Part:
        same = np.full(count, seq)
        detectors.fresh(slots[:count], same)
        measured = {
            "energy_kwh": np.full(count, 50.0),
            "running": np.full(count, True),
            "hour_of_week": same,
            "seq": same,
        }
        detectors.score("energy", slots[:count], measured)
        return detectors.save()

    whole, change = feed(2_000, 0), feed(10, 1)
    assert (whole.number, change.number) == (0, 1)
    assert len(change.data) * 100 < len(whole.data)


def test_a_missing_part_is_refused() -> None:
    """Changes without the part before them are an error, never a state with a hole."""
    log, detectors, parts = log_of("temperature", 1), PartitionDetectors(), list[bytes]()
    for rows in (slice(0, 2000), slice(2000, 2001), slice(2001, 2002)):
        fed(detectors, "temperature", log, rows)
        parts = kept(parts, detectors.save())
    PartitionDetectors.load(parts)
    for wrong in (parts[1:], [parts[0], parts[2]], [parts[0], parts[0]]):
        with pytest.raises(ValueError, match="is missing"):
            PartitionDetectors.load(wrong)


def test_a_state_from_before_there_were_parts_is_read() -> None:
    """A state of the older, shorter format is a whole state; the next owner goes on with it and begins anew."""
    log, detectors = log_of("energy", 2), PartitionDetectors()
    fed(detectors, "energy", log, slice(0, 2000))
    heir = PartitionDetectors.load([encode(msgspec.msgpack.decode(detectors.dump())[:5])])
    assert content(heir) == content(detectors)
    assert heir.save().number == 0


@pytest.mark.parametrize("name", detector_catalog.detectors())
def test_every_detector_goes_on_from_its_dump(name: str) -> None:
    """Scores after a dump and a load are bit for bit those of the detector that was never saved, each in its bin."""
    rng = np.random.default_rng(5)
    channels = 3 if name in {"chart", "vibration"} else 1
    sensors = rng.integers(0, 4, 6000)
    values = rng.normal(50, 3, (6000, channels) if channels > 1 else 6000)
    bins = rng.integers(0, 2, 6000) if detector_catalog.detectors()[name].BINS > 1 else None
    given = (
        {"day_readings": 200} if "day_readings" in detector_catalog.detectors()[name].Parameters.model_fields else {}
    )
    one, other = (detector_catalog.build(name, given, channels) for _ in range(2))
    expected = one.score(sensors, values, bins)
    first = other.score(sensors[:3000], values[:3000], None if bins is None else bins[:3000])
    heir = detector_catalog.build(name, given, channels)
    heir.load(*other.dump())
    then = heir.score(sensors[3000:], values[3000:], None if bins is None else bins[3000:])
    assert np.concatenate([first, then]).tobytes() == expected.tobytes()
    assert expected.any() or name in {"range"}


def test_state_of_another_layout_is_refused() -> None:
    """A dump of three channels is no start for two."""
    wide = detector_catalog.build("chart", channels=3)
    wide.score(np.zeros(5, np.int64), np.ones((5, 3)))
    with pytest.raises(ValueError, match="another layout"):
        detector_catalog.build("chart", channels=2).load(*wide.dump())
