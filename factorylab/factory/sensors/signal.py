"""What a sensor would report before it is encoded, and what all machines share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from factorylab.factory.sensors.anomalies import Episodes
from factorylab.factory.sensors.noise import Draw, Floats, Ints

Columns = dict[str, NDArray[Any]]  # floats, integers or truth values
MEAN_LOAD = 0.925
_LOAD = 800  # stream of noise


@dataclass(frozen=True)
class Main:
    """What is usual for a measure, in its unit: centre, slow spread and fast noise (both standard deviations)."""

    centre: Floats
    spread: Floats | float
    noise: Floats | float


@dataclass(frozen=True)
class SignalModel:
    """A kind of machine: `report` gives its measures by field name (equal lengths), its faults included.

    `usual` tells what is usual for those measures that a fault of the sensor changes.
    """

    report: Callable[[Draw, Sequence[Episodes]], Columns]
    usual: Callable[[Draw], Mapping[str, Main]]


def load(draw: Draw, block: Ints) -> Floats:
    """Share of the rated load during each block of time: 0.85 to 1."""
    return draw.between(0.85, 1, _LOAD, block)
