"""What a record of a reading looks like: the factory's JSON, or a template of the user's."""

from __future__ import annotations

from collections.abc import Callable

from factorylab.core import messages
from factorylab.core.templates import Template


def encoder(record: str | None) -> Callable[[messages.AnyReading], bytes]:
    """What makes a record of a reading: JSON, or the template `record` with its places filled."""
    if record is None:
        return messages.encode
    template = Template(record)
    return lambda reading: template.fill(places_of(reading))


def places_of(reading: messages.AnyReading) -> dict[str, str]:
    """What a template may tell of a reading. `value` is its first measure, as JSON has it."""
    measure = getattr(reading.readings, reading.readings.__struct_fields__[0])
    return {
        "sensor": reading.sensor_id,
        "seq": str(reading.seq),
        "time": reading.timestamp,
        "time_ms": str(messages.timestamp_us(reading.timestamp) // 1000),
        "value": messages.encode(measure).decode(),
    }
