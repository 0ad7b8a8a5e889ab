"""A batch of readings that are nobody's, before the first real one: what the detectors have compiled is read from the
cache for it, in half a second, or compiled, in five. `python -m factorylab.factory.processor.warm_up` does so for a
cache that is to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from factorylab.core import messages
from factorylab.core.messages import CONSTRUCTORS
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.store.positions import Taken

MEASURES = {
    "temperature": messages.TemperatureMeasures(0),
    "vibration": messages.VibrationMeasures(0, 0, 0, 0, 0),
    "energy": messages.EnergyMeasures(0, running=False, hour_of_week=0),
}


def warm_up() -> None:
    """Check and score a reading of each kind, and forget it."""
    values = [messages.encode(_reading(kind)) for kind in CONSTRUCTORS]
    records = Records(0, np.arange(len(values)), [kind.encode() for kind in CONSTRUCTORS], list(values))
    prepared = Owned.of(0, Taken(0, 1), 1).prepare(records, _numbered)
    assert not prepared.dead_letters


def _reading(kind: str) -> messages.AnyReading:
    make, _ = CONSTRUCTORS[kind]
    return make(timestamp=messages.timestamp_text(0), sensor_id=kind, location=kind, seq=0, readings=MEASURES[kind])


def _numbered(sensors: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    return {name: number for number, (name, _, _) in enumerate(sensors)}


if __name__ == "__main__":
    warm_up()
