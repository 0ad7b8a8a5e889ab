"""All detectors of this package by name, and the one table of their parameters."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import NamedTuple

from pydantic import ValidationError

import factorylab.detectors as package
from factorylab.core.errors import UsageError
from factorylab.detectors.streaming import Detector


class ParameterRow(NamedTuple):
    """A row of the table of parameters."""

    detector: str
    parameter: str
    default: str
    meaning: str


@cache
def detectors() -> Mapping[str, type[Detector]]:
    """Every detector that a module of this package defines, by name."""
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            import_module(f"{package.__name__}.{module.name}")
    return {kind.NAME: kind for kind in sorted(Detector.__subclasses__(), key=lambda kind: kind.NAME)}


def table() -> list[ParameterRow]:
    """Every parameter of every detector with its default and what it means."""
    return [
        ParameterRow(name, field, str(info.default), info.description or "")
        for name, kind in detectors().items()
        for field, info in kind.Parameters.model_fields.items()
    ]


def build(name: str, given: Mapping[str, object] | None = None, channels: int = 1) -> Detector:
    """A detector with the parameters `given`, the defaults for the rest.

    Raises:
        UsageError: there is no such detector or parameter, or a value breaks a rule.
    """
    if name not in detectors():
        raise UsageError(f"no detector {name!r}: one of {', '.join(detectors())}")
    kind = detectors()[name]
    try:
        return kind(kind.Parameters.model_validate(given or {}), channels)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or name}: {e['msg']}" for e in error.errors())
        fields = ", ".join(kind.Parameters.model_fields)
        raise UsageError(f"detector {name}: {said} (its parameters are {fields})") from None
