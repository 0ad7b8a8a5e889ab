"""The wire format: what goes over it unchanged, and what it refuses."""

from __future__ import annotations

import json

import msgspec
import pytest

from factorylab.core import messages
from factorylab.core.messages import (
    EnergyMeasures,
    EnergyReading,
    TemperatureMeasures,
    TemperatureReading,
    VibrationMeasures,
    VibrationReading,
)

WHO = {"timestamp": "2024-01-31T23:59:00.000001Z", "sensor_id": "s-1", "location": "line-1", "seq": 7}


@pytest.mark.parametrize(
    "reading",
    [
        TemperatureReading(**WHO, readings=TemperatureMeasures(80.5)),
        VibrationReading(**WHO, readings=VibrationMeasures(4.5, 0.06, 4.1, 2.9, 80.0)),
        EnergyReading(**WHO, readings=EnergyMeasures(3.2, False, 167)),
    ],
)
def test_readings_survive_the_wire(reading: messages.AnyReading) -> None:
    """Each kind of reading decodes to what was encoded, and is plain JSON with its kind named."""
    wire = messages.encode(reading)
    assert messages.decode(wire) == reading
    assert json.loads(wire)["kind"] == type(reading).__struct_config__.tag


BAD = {
    "no_json": b"{",
    "not_utf8": b'{"kind":"temperature","sensor_id":"\xff"}',
    "unknown_kind": b'{"kind":"pressure"}',
    "nan": b"NaN",
    "a_list": b"[]",
}
GOOD = json.loads(messages.encode(TemperatureReading(**WHO, readings=TemperatureMeasures(80.5))))
CHANGES: dict[str, dict[str, object]] = {
    "seq_negative": {"seq": -1},
    "seq_too_large": {"seq": 2**63},
    "seq_text": {"seq": "7"},
    "seq_float": {"seq": 7.5},
    "empty_id": {"sensor_id": ""},
    "long_id": {"sensor_id": "x" * 201},
    "oversize_location": {"location": "x" * 900_000},
    "no_readings": {"readings": {}},
    "unknown_measure": {"readings": {"temperature_c": 1.0, "humidity": 2.0}},
    "text_value": {"readings": {"temperature_c": "hot"}},
    "null_value": {"readings": {"temperature_c": None}},
    "below_absolute_zero": {"readings": {"temperature_c": -300.0}},
    "too_hot": {"readings": {"temperature_c": 1e300}},
}


@pytest.mark.parametrize("name", [*BAD, *CHANGES])
def test_bad_records_are_refused(name: str) -> None:
    """A record that breaks a rule of the format raises and never becomes a reading."""
    wire = BAD.get(name) or json.dumps(GOOD | CHANGES[name]).encode()
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        messages.decode(wire)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    """NaN and the infinities, which PostgreSQL would take, do not pass the decoder."""
    wire = messages.encode(TemperatureReading(**WHO, readings=TemperatureMeasures(80.5))).replace(
        b"80.5", number.encode()
    )
    with pytest.raises(msgspec.MsgspecError):
        messages.decode(wire)


def test_times_go_both_ways() -> None:
    """A time in microseconds becomes RFC 3339 text and comes back exactly."""
    assert messages.timestamp_text(1_706_745_540_000_001) == WHO["timestamp"]
    for us in (0, 1, 1_706_745_540_000_001, 4_102_444_799_999_999):
        assert messages.timestamp_us(messages.timestamp_text(us)) == us


@pytest.mark.parametrize(
    "text", ["2024-01-31T23:59:00.000001+00:00", "2024-01-31T23:59:00.000001-00:00", "2024-01-31t23:59:00.000001z"]
)
def test_utc_has_several_spellings(text: str) -> None:
    """RFC 3339's other ways of writing UTC are the same moment."""
    assert messages.timestamp_us(text) == 1_706_745_540_000_001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "nowZ",
        "2024Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+01:00",
        "2024-01-01T00:00:00-00:30",
        "2024-01-01T00:00:00+0000",
        "2024-01-01T00:00:00+00",
        "2024-01-01+00:00",
        "1969-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
    ],
)
def test_times_that_are_none_are_refused(text: str) -> None:
    """Only a UTC time between 1970 and 2099 is a time; the refusal names the text."""
    with pytest.raises(ValueError, match="timestamp"):
        messages.timestamp_us(text)


def test_alert_ids_depend_on_the_reading_and_the_rule_only() -> None:
    """The same reading and rule give the same id; another seq, rule or version another."""
    ids = {
        messages.alert_id("s", 1, "r", 1),
        messages.alert_id("s", 2, "r", 1),
        messages.alert_id("s", 1, "q", 1),
        messages.alert_id("s", 1, "r", 2),
    }
    assert len(ids) == 4
    assert messages.alert_id("s", 1, "r", 1) in ids
