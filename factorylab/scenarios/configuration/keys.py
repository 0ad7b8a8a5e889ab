"""What a setting may be: its type, its default and its valid values, as the software that reads it defines them.

Java clients and brokers: `kafka_definitions.json`, which `Definitions.java` wrote by asking Kafka itself. librdkafka is
asked by `factory.client_options`, for it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

Role = Literal["producer", "consumer", "admin", "broker"]
Client = Literal["java", "librdkafka"]
DATA = Path(__file__).with_name("kafka_definitions.json")
WHOLE = {"short": 16, "int": 32, "long": 64}
"""Types of whole numbers, and their bits."""
RANGE = re.compile(r"\[(?P<low>-?[\d.]+?),\.\.\.(?:,(?P<high>-?[\d.]+))?\](?: or (?P<other>-?\d+))?")
WORDS = re.compile(r"(?P<any_case>\(case insensitive\) )?\[(?P<words>[\w:, .-]*)\]")
DURATION = "by_duration:"


class Key(msgspec.Struct, frozen=True):
    """One setting. `default` None: it has none. `valid`: the values, as Kafka's validators write them: `[0,...,3600]`,
    `[all, -1, 0, 1]`, empty for any."""

    type: str
    default: str | None = None
    valid: str = ""

    def problem(self, value: str) -> str:
        """The rule that a value breaks, after "must be"; empty where it breaks none. Like Java, without the blanks
        around it."""
        value = value.strip()
        return self._wrong_type(value) or self._outside(value) or self._other_word(value)

    def _wrong_type(self, value: str) -> str:
        if self.type == "boolean":
            return "" if value.lower() in {"true", "false"} else "true or false"
        if self.type in WHOLE:
            bits = WHOLE[self.type]
            fits = re.fullmatch(r"[+-]?\d{1,20}", value, re.ASCII) and -(2 ** (bits - 1)) <= int(value) < 2 ** (
                bits - 1
            )
            return "" if fits else f"a whole number of {bits} bits, in plain digits"
        if self.type == "double":
            return "" if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", value, re.ASCII) else "a number"
        return ""

    def _outside(self, value: str) -> str:
        """A number beyond its range."""
        found = RANGE.fullmatch(self.valid)
        if not found or value == found["other"]:
            return ""
        low, high = found["low"], found["high"]
        if float(low) <= float(value) <= float(high or "inf"):
            return ""
        other = f", or {found['other']}" if found["other"] else ""
        return (f"from {low} to {high}" if high else f"at least {low}") + other

    def _other_word(self, value: str) -> str:
        if self.valid == "non-empty string":
            return "" if value else "something, and not empty"
        found = WORDS.fullmatch(self.valid)
        if not found or not found["words"] or RANGE.fullmatch(self.valid):
            return ""
        words = found["words"].split(", ")
        if any(word.startswith(DURATION) for word in words) and re.fullmatch(DURATION + r"P[\dTDHMS.]+", value):
            return ""
        same = str.lower if found["any_case"] or self._in_capitals(words) else str
        given = [part.strip() for part in value.split(",")] if self.type == "list" else [value]
        if {same(part) for part in given} <= {same(word) for word in words}:
            return ""
        return f"one of {', '.join(words)}" + (", written so" if same is str else "")

    def _in_capitals(self, words: list[str]) -> bool:
        """A default that is among the words but for its capitals shows that they make no difference."""
        return self.default is not None and self.default not in words and self.default.lower() in words


@dataclass(frozen=True)
class Definitions:
    """What one software knows. `refuses` asks the client itself, where it is installed: why it would not start with
    these settings of a role. Empty: it would, or nobody can be asked."""

    client: Client
    version: str
    roles: Mapping[Role, Mapping[str, Key]]
    refuses: Callable[[Role, Mapping[str, str]], list[str]] = lambda _role, _settings: []

    def keys(self, role: Role) -> Mapping[str, Key]:
        return self.roles.get(role, {})

    @property
    def names(self) -> frozenset[str]:
        """All settings of clients."""
        return frozenset(name for role, keys in self.roles.items() if role != "broker" for name in keys)


class _Recorded(msgspec.Struct):
    version: str
    producer: dict[str, Key]
    consumer: dict[str, Key]
    admin: dict[str, Key]
    broker: dict[str, Key]


@cache
def kafka() -> Definitions:
    """Of Kafka's Java clients and brokers, in the version that was asked."""
    its = msgspec.json.decode(DATA.read_bytes(), type=_Recorded)
    roles: dict[Role, Mapping[str, Key]] = {
        "producer": its.producer, "consumer": its.consumer, "admin": its.admin, "broker": its.broker,
    }  # fmt: skip
    return Definitions("java", its.version, roles)
