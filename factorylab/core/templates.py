"""Texts with places in them: what a record looks like, and how one is known again in a program's output.

`{"id": "{sensor}/{seq}"}` needs no escapes: a place is a word in braces, every other brace stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

SENSOR, SEQ, AT = "sensor", "seq", "at"
PATTERNS = {
    SENSOR: r"[a-z]+-[0-9]+",
    SEQ: r"[0-9]{1,18}",
    "time": r"\d{4}-\d\d-\d\dT[\d:.]+Z",
    "time_ms": r"-?[0-9]{1,18}",
    "value": r"-?[0-9.eE+-]+|true|false|null",
    AT: r"[0-9]{13}|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d(?::?\d\d)?)",
    "any": r".*?",
}
"""What stands at a place, as a regular expression. The first is as `core.names.sensor_name` makes it."""
OF_A_RECORD = (SENSOR, SEQ, "time", "time_ms", "value")
OF_AN_IDENTITY = (SENSOR, SEQ, AT, "any", "time", "time_ms", "value")
PLACE = re.compile(r"\{([a-z_]+)\}")
TIGHT = re.compile(r"\{(?:sensor|seq)\}[0-9]*\{(?:sensor|seq|time_ms|value|at)\}")
ALONE = (rb"(?<![\w-])", rb"(?!\w|[.-][0-9])")
"""A sensor does not begin, nor a seq end, in the middle of a word: a line that was cut off is not another record."""


@dataclass(frozen=True)
class Identity:
    """Which reading something is of, and when it was written (µs of the wall clock; −1: it does not say)."""

    sensor: str
    seq: int
    at_us: int = -1


@dataclass(frozen=True)
class Template:
    """A text with places."""

    text: str

    def check(self, allowed: tuple[str, ...]) -> None:
        """Refuse what has other places than `allowed`, or does not tell one reading from another.

        Raises:
            ValueError: naming the place.
        """
        places = PLACE.findall(self.text)
        known = ", ".join(f"{{{name}}}" for name in allowed)
        for name in places:
            if name not in allowed:
                raise ValueError(f"it has a place {{{name}}}: places are {known}")
        for name in (SENSOR, SEQ):
            if places.count(name) != 1:
                raise ValueError(f"it needs {{{name}}} once: without it nobody knows which record is which")
        if near := TIGHT.search(self.text):
            raise ValueError(f"{near[0]!r} runs together: put a sign that is no digit between the places")

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The text with `values` in its places."""
        return PLACE.sub(lambda place: values[place[1]], self.text).encode()

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        pieces = PLACE.split(self.text.strip())
        found = [re.escape(piece.encode()) for piece in pieces]
        for i, name in enumerate(pieces[1::2]):
            group = f"(?P<{name}>" if name in {SENSOR, SEQ, AT} else "(?:"
            found[2 * i + 1] = f"{group}{PATTERNS[name]})".encode()
        return re.compile(ALONE[0] + b"".join(found) + ALONE[1], re.DOTALL)

    def find(self, text: bytes) -> Identity | None:
        """The first place in `text` that looks like this."""
        found = self._pattern.search(text)
        if found is None:
            return None
        told = found.groupdict()
        at = moment_us(told[AT].decode()) if AT in told else -1
        return Identity(told[SENSOR].decode(), int(told[SEQ]), at)


def moment_us(text: str) -> int:
    """A moment in ms since 1970, or as in RFC 3339 with its zone, in µs since 1970; −1 where it is neither."""
    if text.isdecimal():
        return int(text) * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return -1
    return round(moment.timestamp() * 1e6) if moment.tzinfo else -1
