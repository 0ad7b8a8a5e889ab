"""The final read: which reading a payload names, and what becomes of records that are none."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from factorylab.core import messages
from factorylab.core.messages import payload_hash
from factorylab.core.templates import Template
from factorylab.execution import final_read, log_scan
from factorylab.execution.final_read import csv_batches, rows_table
from factorylab.execution.log_scan import LOG_SCHEMA, identify, log_table, look_for, within
from factorylab.execution.measures_hash import MEASURES
from factorylab.history.cross_samples import samples

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
    rows = log_table(batch, SENSORS).drop(["worker", "t_ns", "value", "measures_hash"]).to_pylist()  # type: ignore[arg-type]
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


def test_a_batch_of_a_template_is_known_by_it() -> None:
    """The identity is found as the template has it, and nothing is said of values; another record is of nobody."""
    look = partial(look_for, Template('{"id": "{sensor}/{seq}"}'))
    name = next(iter(SENSORS))
    batch = [Record(f'{{"id": "{name}/5"}}'.encode()), Record(reading())]
    rows = log_table(batch, SENSORS, look).to_pylist()  # type: ignore[arg-type]
    assert [(row["sensor"], row["seq"]) for row in rows] == [(SENSORS[name], 5), (-1, -1)]
    assert all(math.isnan(row["value"]) for row in rows)


def rows_of(payload: bytes) -> list[dict[str, Any]]:
    """The row of the final read for one record."""
    return log_table([Record(payload)], SENSORS).to_pylist()  # type: ignore[list-item]


def copied(line: str) -> list[dict[str, Any]]:
    """The rows of the final read for what the database copied."""
    (batch,) = csv_batches(io.BytesIO(f"{COPIED}\n{line}\n".encode()))
    return rows_table(batch, SENSORS).to_pylist()


def sent(kind: Callable[..., messages.AnyReading], measures: messages.Measures) -> messages.AnyReading:
    return kind(timestamp="2026-01-01T00:00:00.000001Z", sensor_id="vib-1", location="hall", seq=5, readings=measures)


VIBRATION = sent(messages.VibrationReading, messages.VibrationMeasures(2.5, 0.25, 3.0, 3.1, 80.0))
ENERGY = sent(messages.EnergyReading, messages.EnergyMeasures(0.5, False, 12))
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
    (row,) = rows_of(msgspec.json.encode(sent(kind, measures)))
    assert (row["sensor"], row["seq"], row["value"]) == (7, 5, value)


@pytest.mark.parametrize("readings", [{}, {"humidity": 3}, {"temperature_c": "warm"}, 7, None])
def test_a_record_without_a_measure_is_still_identified(readings: object) -> None:
    """Whatever stands where the measures should be: the value is none, sensor and seq are known."""
    (row,) = rows_of(reading(readings=readings))
    assert (row["sensor"], row["seq"]) == (7, 5) and math.isnan(row["value"])


@pytest.mark.parametrize("timestamp", [7, None, [], "yesterday"])
def test_a_record_without_a_time_is_still_identified(timestamp: object) -> None:
    """Whatever stands where the time should be: sensor, seq and value are known, and the hash is that of no time."""
    (row,) = rows_of(reading(readings={"temperature_c": 20.0}, timestamp=timestamp))
    (other,) = rows_of(reading(readings={"temperature_c": 20.0}))
    assert (row["sensor"], row["seq"], row["value"], row["measures_hash"]) == (7, 5, 20.0, other["measures_hash"])


COPIED = "name,seq,partition,offset,stamp_us," + ",".join(MEASURES)
SENT = {
    "vib-1,5,0,0,1767225600000001,,2.5,,0.25,3,3.1,80,,": VIBRATION,
    "vib-1,5,0,0,1767225600000001,,,0.5,,,,,0,12": ENERGY,
}


@pytest.mark.parametrize("line", SENT)
def test_store_and_log_come_to_the_same_hash(line: str) -> None:
    """A row as the database copies it has value and hash of its record; a change of any measure, of the time, of
    nothing to NaN or of NaN to nothing gives another hash."""
    (record,) = rows_of(msgspec.json.encode(SENT[line]))
    (row,) = copied(line)
    assert (row["value"], row["measures_hash"]) == (record["value"], record["measures_hash"])
    fields = line.split(",")
    others = [
        copied(",".join([*fields[:at], other, *fields[at + 1 :]]))[0]["measures_hash"]
        for at in range(4, len(fields))
        for other in ("7", *(("", "NaN") if at > 4 else ()))
        if other != fields[at]
    ]
    assert record["measures_hash"] not in others and len(set(others)) > len(fields)


def test_names_of_digits_stay_names_and_values_keep_their_fractions() -> None:
    """The copy of the table is not guessed at: a sensor called 101 and a first value of 20 change nothing."""
    lines = [f"{name},0,0,0,0,{value},,,,,,,," for name, value in (("101", "20"), ("102", "20.25"), ("103", ""))]
    (batch,) = csv_batches(io.BytesIO("\n".join([COPIED, *lines]).encode()))
    assert batch.column("name").to_pylist() == ["101", "102", "103"]
    assert batch.column("temperature_c").to_pylist() == [20.0, 20.25, None]


@pytest.mark.parametrize(
    ("span", "expected"),
    [((5, 5), []), ((5, 6), [(5, 6)]), ((0, 1500), [(0, 1500)]), ((0, 1501), [(0, 500), (500, 1000), (1001, 1501)])],
)
def test_samples_are_all_of_a_short_partition_and_three_pieces_of_a_long_one(
    span: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    """No offset is sampled twice, and none lies outside of the span."""
    assert samples(*span) == expected


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
