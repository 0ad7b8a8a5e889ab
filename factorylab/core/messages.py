"""The wire format: readings, alerts, dead letters. Pure: no Kafka, no database.

A record of `sensor-data` is one reading as JSON; its key is the sensor id. Times of events are in the payload
only (UTC, RFC 3339, microseconds), never in Kafka's timestamp: recorded data may be years old.
What the types below refuse is a bad record: it belongs to the dead letters, and the rules depend on the record
alone (never on the present time), so that the same log always has the same bad records.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal, get_args

import msgspec
import xxhash
from msgspec import Meta

from factorylab.core.vocabulary import SensorKind

SENSOR_TOPIC = "sensor-data"
ALERT_TOPIC = "alerts"
DEAD_LETTER_TOPIC = "dead-letters"
LABEL_TOPIC = "labels"
GROUP = "sensor-processors"

Severity = Literal["warning", "critical"]
Origin = Literal["machine", "sensor"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Celsius = Annotated[float, Meta(ge=-273.15, le=10_000)]
Magnitude = Annotated[float, Meta(ge=0, le=1_000_000)]
HourOfWeek = Annotated[int, Meta(ge=0, le=167)]


class TemperatureMeasures(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    temperature_c: Celsius


class VibrationMeasures(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Features of one window of acceleration, and the machine's load, since what is healthy depends on it.

    Velocity RMS over 10–1000 Hz (mm/s), acceleration RMS (g), crest factor (peak / RMS), kurtosis (3 for Gaussian
    noise), load in percent of the rated one.
    """

    velocity_mm_s: Magnitude
    acceleration_g: Magnitude
    crest_factor: Magnitude
    kurtosis: Magnitude
    load_percent: Magnitude


class EnergyMeasures(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Energy of an interval of 15 min (kWh); the machine's state travels along: a stop is not an outage.

    `hour_of_week` is the plant's, 0 from Monday 00:00: a simulated plant's week may pass in minutes.
    """

    energy_kwh: Magnitude
    running: bool
    hour_of_week: HourOfWeek


class Reading(msgspec.Struct, frozen=True, gc=False, tag_field="kind", kw_only=True):
    """What all kinds share. `seq` counts a sensor's readings from 0 within a run."""

    timestamp: str
    sensor_id: Name
    location: Name
    seq: Seq


class TemperatureReading(Reading, frozen=True, gc=False, tag="temperature", kw_only=True):
    readings: TemperatureMeasures


class VibrationReading(Reading, frozen=True, gc=False, tag="vibration", kw_only=True):
    readings: VibrationMeasures


class EnergyReading(Reading, frozen=True, gc=False, tag="energy", kw_only=True):
    readings: EnergyMeasures


AnyReading = TemperatureReading | VibrationReading | EnergyReading
Measures = TemperatureMeasures | VibrationMeasures | EnergyMeasures
SENSOR_KINDS: tuple[SensorKind, ...] = get_args(SensorKind)
CONSTRUCTORS: dict[str, tuple[Callable[..., AnyReading], Callable[..., Measures]]] = {
    "temperature": (TemperatureReading, TemperatureMeasures),
    "vibration": (VibrationReading, VibrationMeasures),
    "energy": (EnergyReading, EnergyMeasures),
}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """`alert_id` is made of (sensor, seq, rule, version): a replay gives the same ids.

    `correlation_id` is that of the reading, so one word finds both in the logs.
    """

    alert_id: str
    timestamp: str
    sensor_id: str
    location: str
    seq: int
    rule: str
    severity: Severity
    value: float
    limit: float
    correlation_id: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one injected anomaly: which, on which sensor, from which reading to which (both included).

    On a topic of its own, so that detectors cannot read it.
    """

    sensor_id: str
    anomaly: str
    origin: Origin
    first_seq: int
    last_seq: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyReading)
_alert_decoder = msgspec.json.Decoder(Alert)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
UTC_ENDINGS = ("Z", "+00:00", "-00:00", "z")

encode = _encoder.encode
decode = _decoder.decode  # raises msgspec.DecodeError / ValidationError on a bad record
decode_alert = _alert_decoder.decode
payload_hash = xxhash.xxh3_64_intdigest  # bytes → unsigned 64 bits; unique within a run, as (sensor, seq) is inside


def correlation_id(sensor_id: str, seq: int) -> str:
    """The word that follows a reading from sensor to alert: made of the reading itself, so nothing passes it along."""
    return f"{sensor_id}:{seq}"


def record_id(topic: str, partition: int, offset: int) -> str:
    """The word for a record that names no reading, since it cannot be decoded: where it is."""
    return f"{topic}/{partition}/{offset}"


def alert_id(sensor_id: str, seq: int, rule: str, version: int) -> str:
    """Deterministic, so that an alert raised twice is one alert."""
    return f"{correlation_id(sensor_id, seq)}:{rule}.v{version}"


def timestamp_text(wall_us: int) -> str:
    """UTC microseconds since the epoch as RFC 3339."""
    return (_EPOCH + timedelta(microseconds=wall_us)).isoformat(timespec="microseconds")[:-6] + "Z"


@lru_cache(maxsize=4096)
def timestamp_us(text: str) -> int:
    """UTC microseconds since the epoch of an RFC 3339 time in UTC between the years 1970 and 2099.

    UTC is written `Z`, `+00:00`, or `-00:00` (UTC, whatever the local time is); T and Z may be small letters.

    Raises:
        ValueError: the text is no such time.
    """
    if not text.endswith(UTC_ENDINGS):
        raise ValueError(f"timestamp {text!r} ends neither in Z nor in +00:00: times are UTC")
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise ValueError(f"timestamp {text!r}: {error}") from None
    if not 1970 <= moment.year < 2100:
        raise ValueError(f"timestamp {text!r} is not between the years 1970 and 2099")
    return (moment - _EPOCH) // _MICROSECOND
