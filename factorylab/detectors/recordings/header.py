"""What the first lines of a table say: how fields are separated, where the header is, and what surrounds it.

The header is the first line that names a column of times, else the first line of the table that is no reading, else a
comment just above the first reading. Lines above it are a preamble, lines below it without a reading are units.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATORS = (";", "\t", "|", ",")
TIME_NAME = re.compile(
    r"(timestamp|date|datum)?(time|zeit|zeitstempel|uhrzeit|stamp|stempel)?(utc|gmt|local|unix|epoch|s|sec|seconds|ms|us|ns)?"
)
NUMBER = re.compile(r"[+\-−]?(\d[\d.,'  \u202f’]*|[.,]\d+)([eE][+-]?\d+)?")
MOMENT = re.compile(r"\d{1,2}:\d{2}|^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|^\d{1,2}[-. /][A-Za-zäÄ]{3,}[-. /]+\d{2,4}")
UNIT_LINES = 3  # that are looked at


@dataclass(frozen=True)
class Header:
    """`above` counts the lines of the table above the first reading; `preamble` and `units` are some of them."""

    names: list[str]
    above: int
    preamble: int = 0
    units: tuple[list[str], ...] = ()


def separator_of(lines: Sequence[str]) -> str | None:
    """The one that splits most lines alike; None where none does: blanks, or a single column."""
    shares = []
    for candidate in SEPARATORS:
        counts = Counter(len(split(line, candidate)) for line in lines)
        shares.append(max((count for width, count in counts.items() if width > 1), default=0))
    return SEPARATORS[shares.index(max(shares))] if max(shares) else None


def is_matrix(lines: Sequence[str]) -> bool:
    """Whether lines are columns of numbers with blanks between them, below a line of names at most."""
    words = [line.split() for line in lines]
    width = len(words[-1])
    return width > 1 and all(
        len(row) == width and (at == 0 or all(NUMBER.fullmatch(word) for word in row)) for at, row in enumerate(words)
    )


def split(line: str, separator: str) -> list[str]:
    """The fields of a line, without the blanks around them."""
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def plain(name: str) -> str:
    """A column's name as it is compared: small letters and digits only."""
    return re.sub(r"[\W_]+", "", name.lower())


def is_moment(cell: str) -> bool:
    """Whether a cell looks like a date, a clock, or seconds and their parts since 1970."""
    return bool(MOMENT.search(cell)) or bool(re.fullmatch(r"\d{9,19}(\.\d+)?", cell))


def names_time(name: str) -> bool:
    """Whether a column's name says that it holds times: timestamp, Date, time_utc, Datum/Uhrzeit, time [ms] …"""
    found = TIME_NAME.fullmatch(plain(name))
    return bool(found and (found[1] or found[2]))


def is_reading(cells: Sequence[str]) -> bool:
    """Whether a line holds a time, or numbers in most of its filled fields."""
    filled = [cell for cell in cells if cell]
    numbers = sum(bool(NUMBER.fullmatch(cell)) for cell in filled)
    return any(MOMENT.search(cell) for cell in filled) or numbers * 2 > len(filled)


def find_header(fields: Sequence[list[str]], wanted: Sequence[str], comment: list[str]) -> Header | None:
    """The header of some lines' fields, or None where the first line is a reading.

    `wanted` are names that it should have, `comment` the fields of the last comment above the table.
    """
    width = Counter(map(len, fields)).most_common(1)[0][0]
    known = {*wanted}
    for at, cells in enumerate(fields):
        if len(cells) >= width - 1 and (known & {*cells} or (not known and any(map(names_time, cells)))):
            return _header(fields, at)
    first = next(at for at, cells in enumerate(fields) if len(cells) == width)
    counted = [str(number) for number in range(width + 1)]
    if not is_reading(fields[first]) or fields[first] in (counted[:-1], counted[1:]):
        return _header(fields, first)
    return Header(comment, 0) if len(comment) == width and not is_reading(comment) else None


def _header(fields: Sequence[list[str]], at: int) -> Header:
    """A separator at the end of each reading alone adds a column without a name."""
    names, below = fields[at], fields[at + 1 :]
    ended = bool(below) and all(len(cells) == len(names) + 1 and not cells[-1] for cells in below)
    readings = [is_reading(cells) for cells in below[:UNIT_LINES]]
    units = readings.index(True) if True in readings else 0
    return Header([*names, ""] if ended else names, at + 1 + units, at, tuple(below[:units]))
