"""What the Kafka client that is installed knows of its settings: it is asked, so that no list here can be out of date.

librdkafka reads as much of a number as it understands and drops the rest without a word: `1e5` and `1_000` are 1 to it,
`010` is 8, and 4,294,967,396 is 100. So numbers are checked here, by the ranges that it publishes.
"""

from __future__ import annotations

import ctypes
import difflib
import re
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, cimpl

Role = Literal["producer", "consumer"]
ROW = re.compile(
    r"^(?P<name>[\w.]+) +\| *(?P<roles>[CP*]) *\| *(?P<range>.*?) *\| *(?P<default>.*?) *\|"
    r".*\*Type: (?P<type>[^*]+)\*$",
    re.M,
)
NUMBERS = {"integer": r"-?(0|[1-9]\d*)", "float": r"-?(0|[1-9]\d*)(\.\d+)?"}
WORD = re.compile(r"[A-Za-z]")


class Setting(NamedTuple):
    """`roles` is C, P or * for both; `low` and `high` are the range of a number, both included."""

    roles: str
    type: str
    low: float
    high: float


def table() -> str:
    """librdkafka's own table of its settings, as in its CONFIGURATION.md."""
    client, libc = ctypes.CDLL(cimpl.__file__), ctypes.CDLL(None)
    libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    libc.fclose.argtypes = client.rd_kafka_conf_properties_show.argtypes = [ctypes.c_void_p]
    with tempfile.NamedTemporaryFile() as file:
        stream = libc.fopen(file.name.encode(), b"w")
        client.rd_kafka_conf_properties_show(stream)
        libc.fclose(stream)
        return file.read().decode()


@cache
def known() -> dict[str, Setting]:
    """All settings by name, other spellings included."""
    rows = ROW.finditer(table())
    return {row["name"]: Setting(row["roles"], row["type"], *_span(row["range"])) for row in rows}


def _span(text: str) -> tuple[float, float]:
    low, dots, high = text.partition(" .. ")
    return (float(low), float(high)) if dots else (float("-inf"), float("inf"))


def problems(role: Role, given: Mapping[str, str]) -> list[str]:
    """What is wrong with each of these settings of a producer or a consumer: its name, its number."""
    return [problem for name, value in given.items() if (problem := _problem(role, name, value))]


def _problem(role: Role, name: str, value: str) -> str:
    setting = known().get(name)
    if setting is None:
        names = sorted(n for n, its in known().items() if its.roles in {"*", role[0].upper()})
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else "the names are those of librdkafka's CONFIGURATION.md"
        return f"{name}: there is no such setting: {hint}"
    if setting.roles not in {"*", role[0].upper()}:
        return f"{name}: is not a setting of a {role}"
    if setting.type == "see dedicated API":
        return f"{name}: is a function of the program, which cannot be given as text"
    rule = NUMBERS.get(setting.type)
    if rule is None or (setting.type == "integer" and WORD.match(value)):  # a word, as acks=all: the client knows it
        return ""
    if re.fullmatch(rule, value, re.ASCII) and setting.low <= float(value) <= setting.high:
        return ""
    kind = "a whole number" if setting.type == "integer" else "a number"
    return f"{name}={value}: must be {kind} from {setting.low:.0f} to {setting.high:.0f}, in plain digits"


def refusal(role: Role, settings: Mapping[str, str | int | float | bool]) -> str:
    """Why the client itself would not take these settings together; empty if it does. It connects to nothing."""
    alone = {**settings, "bootstrap.servers": "", "log_level": 0}
    try:
        if role == "consumer":
            Consumer({"group.id": "none", **alone}).close()
        else:
            Producer(alone)
    except (KafkaException, TypeError, ValueError) as error:
        return reason(error)
    return ""


def reason(error: Exception) -> str:
    """The client's own words for its refusal, on one line."""
    text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    return " ".join(text.split())
