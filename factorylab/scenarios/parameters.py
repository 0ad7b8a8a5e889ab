"""The parameters of the named scenarios in plain words: what may be given, in which unit, and what is taken otherwise.

Types come from the functions' annotations by way of JSON Schema; the unit is the end of the name, as everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import TypeAdapter

from factorylab.scenarios.model import Scenario

UNITS = {"_per_s": "readings per second", "_s": "seconds", "_ms": "milliseconds"}  # the first that fits
TYPES = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "mapping",
}


class Parameter(msgspec.Struct, frozen=True):
    """`choices` are all the words that may be given; empty where `type` alone says what may."""

    name: str
    type: str
    unit: str | None
    choices: list[str]
    about: str
    required: bool
    default: object = None

    def show(self) -> str:
        """`kind: kill | terminate | pause = kill`, and what it means where that is known."""
        kind = re.sub("numbers?", self.unit, self.type) if self.unit else self.type
        kinds = [*self.choices, *([kind] if kind else [])]
        default = self.default if isinstance(self.default, str) else json.dumps(self.default)
        rest = " (required)" if self.required else " (may be left out)" if self.default is None else f" = {default}"
        return f"{self.name}: {' | '.join(kinds)}{rest}" + (f"  ({self.about})" if self.about else "")


def parameters(function: Callable[..., Scenario]) -> list[Parameter]:
    """The parameters of a named scenario, in the order of its signature."""
    schema = TypeAdapter(function).json_schema()  # type: ignore[arg-type]  # it takes functions, too
    required = schema.get("required", [])
    return [_parameter(name, rules, name in required) for name, rules in schema["properties"].items()]


def _parameter(name: str, rules: dict[str, Any], required: bool) -> Parameter:
    ways = rules.get("anyOf", [rules])
    return Parameter(
        name=name,
        type=" | ".join(_type(way) for way in ways if "enum" not in way and way["type"] != "null"),
        unit=next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None),
        choices=[choice for way in ways for choice in way.get("enum", [])],
        about=rules.get("description", ""),
        required=required,
        default=rules.get("default"),
    )


def _type(way: dict[str, Any]) -> str:
    return f"list of {TYPES[way['items']['type']]}s" if way["type"] == "array" else TYPES[way["type"]]
