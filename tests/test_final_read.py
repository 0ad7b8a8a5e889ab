"""The final read: which reading a payload names, and what becomes of records that are none."""

from __future__ import annotations

import json

import pytest

from factorylab import final_read, log_scan
from factorylab.log_scan import LOG_SCHEMA, identify, log_table, within
from factorylab.messages import payload_hash

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
    rows = log_table(batch, SENSORS).drop(["worker", "t_ns"]).to_pylist()  # type: ignore[arg-type]
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
