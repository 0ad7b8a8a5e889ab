"""The final read: which reading a payload names, and what becomes of records that are none."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable

import msgspec
import pytest

from factorylab.core import messages
from factorylab.core.messages import payload_hash
from factorylab.execution import final_read, log_scan
from factorylab.execution.final_read import csv_batches
from factorylab.execution.log_scan import LOG_SCHEMA, identify, log_table, told, within

SENSORS = {"temp-1": 0, "vib-1": 7}


class Record:
    """As much of a consumer's message as is asked for."""

    def __init__(
        self,
        value: bytes | None,
        partition: int = 0,
        offset: int = 0,
        error: object = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        self._value, self._partition, self._offset, self._error, self._headers = (
            value,
            partition,
            offset,
            error,
            headers,
        )

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> object:
        return self._error

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers


def reading(**fields: object) -> bytes:
    return json.dumps({"sensor_id": "vib-1", "seq": 5, "value": 1.0, **fields}).encode()


def test_a_reading_is_identified() -> None:
    """Name and number of a payload are enough, whatever else is in it."""
    assert identify(reading(extra=[1]), SENSORS) == (7, 5)
    assert identify(reading(seq=2**63 - 1), SENSORS) == (7, 2**63 - 1)


def test_a_foreign_sensor_keeps_its_number() -> None:
    """A name that no fleet announced is sensor −1 with the number that it claims."""
    assert identify(reading(sensor_id="stranger"), SENSORS) == (-1, 5)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"sensor_id": "vib-1"}',
        b'{"sensor_id": "\xff", "seq": 1}',
        reading(seq=-1),
        reading(seq=2**63),
        reading(seq=1.5),
        reading(seq="5"),
        reading(seq=None),
        reading(sensor_id=7),
    ],
)
def test_what_is_no_reading_is_unknown(payload: bytes) -> None:
    """A payload that names no reading is (−1, −1) and stops nothing."""
    assert identify(payload, SENSORS) == (-1, -1)


def test_a_batch_becomes_rows() -> None:
    """Good, bad and empty records all are rows with place and hash; a tombstone counts as empty."""
    batch = [Record(reading(), 2, 40), Record(b"junk", 1, 7), Record(None, 0, 0)]
    rows = log_table(batch, SENSORS).drop(["worker", "t_ns", "value"]).to_pylist()  # type: ignore[arg-type]
    names = ("partition", "offset", "sensor", "seq", "payload_hash")
    assert rows == [
        dict(zip(names, row, strict=True))
        for row in (
            (2, 40, 7, 5, payload_hash(reading())),
            (1, 7, -1, -1, payload_hash(b"junk")),
            (0, 0, -1, -1, payload_hash(b"")),
        )
    ]
    assert log_table(batch, SENSORS).schema == LOG_SCHEMA  # type: ignore[arg-type]


MEASURED = [
    (messages.TemperatureReading, messages.TemperatureMeasures(temperature_c=81.23456789012345), 81.23456789012345),
    (messages.VibrationReading, messages.VibrationMeasures(2.5, 0.25, 3.0, 3.1, 80.0), 2.5),
    (messages.EnergyReading, messages.EnergyMeasures(0.0, False, 12), 0.0),
]


@pytest.mark.parametrize(("kind", "measures", "value"), MEASURED)
def test_a_record_tells_the_value_that_the_store_should_have(
    kind: Callable[..., messages.AnyReading], measures: messages.Measures, value: float
) -> None:
    """The main measure of each kind of reading, to the last bit."""
    sent = kind(timestamp="2026-01-01T00:00:00Z", sensor_id="vib-1", location="hall", seq=5, readings=measures)
    assert told(msgspec.json.encode(sent), SENSORS) == (7, 5, value)


@pytest.mark.parametrize("readings", [{}, {"humidity": 3}, {"temperature_c": "warm"}, 7, None])
def test_a_record_without_a_measure_is_still_identified(readings: object) -> None:
    """Whatever stands where the measures should be: the value is none, sensor and seq are known."""
    sensor, seq, value = told(reading(readings=readings), SENSORS)
    assert (sensor, seq) == (7, 5) and math.isnan(value)


def test_names_of_digits_stay_names_and_values_keep_their_fractions() -> None:
    """The copy of the table is not guessed at: a sensor called 101 and a first value of 20 change nothing."""
    lines = ["name,seq,partition,offset,value", "101,0,0,0,20", "102,1,1,7,20.25", "103,2,1,8,"]
    (batch,) = csv_batches(io.BytesIO("\n".join(lines).encode()))
    assert batch.column("name").to_pylist() == ["101", "102", "103"]
    assert batch.column("value").to_pylist() == [20.0, 20.25, None]


def test_only_records_before_the_frozen_end_count() -> None:
    """What was written after the ends were frozen, and what is an error, is not part of the read."""
    spans = {0: (0, 10)}
    seen = [within(Record(b"", 0, offset), spans) for offset in (0, 9, 10, 11)]  # type: ignore[arg-type]
    assert seen == [True, True, False, False]
    assert not within(Record(b"", 0, 3, error="gone"), spans)  # type: ignore[arg-type]


def test_a_dead_letter_tells_where_it_came_from() -> None:
    """Partition, offset and reason come from the headers, the hash from the payload itself."""
    headers = {"partition": b"2", "offset": b"41", "exception.message": "seq: \u2265 0".encode()}
    record = Record(b"junk", 0, 3, headers=[(f"__connect.errors.{name}", value) for name, value in headers.items()])
    row = final_read.dead_letter(record)  # type: ignore[arg-type]
    assert (row.partition, row.offset, row.reason) == (2, 41, "seq: ≥ 0")
    assert row.payload_hash == payload_hash(b"junk") and row.worker == log_scan.WORKER
