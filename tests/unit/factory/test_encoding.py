"""What a record of a reading looks like: JSON, or a template of the user's."""

from __future__ import annotations

import pytest

from factorylab.core import messages
from factorylab.core.errors import UsageError
from factorylab.core.sources import load
from factorylab.factory.config import FleetConfig, known_names
from factorylab.factory.fleet.encoding import encoder
from factorylab.factory.sensors.simulate import Simulation

NOW = "2026-11-30T12:00:00.250000Z"
RECORD = "{sensor};{seq};{time};{time_ms};{value}"


def test_a_template_tells_what_the_reading_says() -> None:
    """Of each kind of sensor: its name, its seq, its time in both forms, and its first measure."""
    source = Simulation(sensors=3, kinds=messages.SENSOR_KINDS, seed=1, anomaly_rate=0, index=0, count=1)
    readings = source.block(0, 6, NOW).readings
    assert {messages.decode(encoder(None)(reading)).sensor_id for reading in readings} == {
        s.name for s in source.sensors
    }
    for reading in readings:
        sensor, seq, at, at_ms, value = encoder(RECORD)(reading).decode().split(";")
        assert (sensor, int(seq), at, at_ms) == (reading.sensor_id, reading.seq, NOW, "1796040000250")
        assert float(value) in {getattr(reading.readings, name) for name in reading.readings.__struct_fields__}


def test_a_template_without_an_identity_is_refused_by_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it sends anything, by the name of the setting."""
    for name, value in {"BOOTSTRAP": "a:1", "WORKER": "w", "RECORD": "{sensor}"}.items():
        monkeypatch.setenv(f"FACTORYLAB_{name}", value)
    with pytest.raises(UsageError, match=r"FACTORYLAB_RECORD.*it needs \{seq\} once"):
        load(FleetConfig, known_names())
