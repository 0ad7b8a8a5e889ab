"""Text to a table of cells, each line with as many fields as the header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, counted
from factorylab.detectors.recordings.header import Header, find_header, is_matrix, separator_of, split
from factorylab.detectors.recordings.layout import Layout
from factorylab.detectors.recordings.text import read_text

SAMPLE_LINES = 200
SAMPLE = 2_000_000  # characters
MARKED_UP = re.compile(r'\s*(?:(\{"|\[\s*\{)|<(?:html|!doctype|\?xml|table))', re.IGNORECASE)
COMMENT = re.compile(r"(?m)^#.*\n?")


class NoHeader(UsageError):
    """The first line is a reading."""


@dataclass(frozen=True)
class Lines:
    """Which lines of a text are the table's: none that is empty or, with `comments`, begins with #."""

    text: str
    comments: bool
    above: int

    def number(self, row: int) -> int:
        """The line, from 1, of a row; `above` lines of the table come before the first row."""
        filled = (
            number
            for number, line in enumerate(self.text.splitlines(), 1)
            if line.strip() and not (self.comments and line.startswith("#"))
        )
        return next((number for at, number in enumerate(filled) if at == row + self.above), 0)


@dataclass(frozen=True)
class Table:
    """`cells` are text without blanks around it, "" where there is none; its index is the row in the file, from 0."""

    path: Path
    cells: pd.DataFrame
    separator: str
    lines: Lines
    nameless: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """File and line of a row, by its position in `cells`."""
        return f"{self.path}, line {self.lines.number(int(self.cells.index[row]))}"

    def only(self, rows: NDArray[np.bool_]) -> Table:
        return replace(self, cells=self.cells[rows])

    def find(self, name: str, option: str) -> str:
        """The column of this name.

        Raises:
            UsageError: there is none, or more than one.
        """
        if name in self.twice:
            raise UsageError(f"{self.path}: two columns are called {name!r}: rename one in the file's header")
        if name not in self.cells.columns:
            there = ", ".join(map(str, self.cells.columns)) or "none"
            raise UsageError(f"{self.path}: there is no column {name!r}; its columns are {there}: name one by {option}")
        return name


def read_table(path: Path, layout: Layout, wanted: Sequence[str], notes: Notes) -> Table:
    """The cells of a file; `wanted` are names that its header should have.

    Raises:
        UsageError: it cannot be read as a table, naming the line and the rule.
    """
    text = read_text(path, layout.encoding, notes)
    if marked_up := MARKED_UP.match(text):
        raise UsageError(f"{path} is {'JSON' if marked_up[1] else 'HTML or XML'}, not a table: export it as CSV")
    comments = text.startswith("#") or "\n#" in text
    body, comment = _without_comments(text, notes) if comments else (text, "")
    told = re.match(r'"?sep=(.)"?\r?\n', body)  # Excel's own first line
    body = body[told.end() :] if told else body
    head = _head(body)
    if not head:
        raise UsageError(f"{path} is empty: there is no reading in it")
    try:
        separator = told[1] if told else separator_of(head)
    except csv.Error as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from None
    if separator is None and is_matrix(head):
        separator, body = "\t", re.sub(r"(?m)[ \t]+(?=\r?$)", "", re.sub(r"(?m)^[ \t]+", "", body))
        body = re.sub(r"[ \t]+", "\t", body)
        head = _head(body)
    separator = separator or ","
    header = _header(path, [split(line, separator) for line in head], layout, wanted, split(comment, separator))
    _tell(header, notes)
    if layout.header and not header.above:
        notes.assumed.append(f"the header is a comment: {comment}")
    lines = Lines(text, comments, header.above + bool(told))
    return _named(path, _cells(path, _below(body, header.above), separator, header, lines), header, separator, lines)


def _without_comments(text: str, notes: Notes) -> tuple[str, str]:
    """The text, and the last comment above its first other line."""
    found = COMMENT.findall(text)
    notes.left_out.append(f"{counted(len(found), 'line')} of comments (#)")
    above = re.match(r"(?:\s*#.*\n)+", text)
    return COMMENT.sub("", text), above[0].strip().splitlines()[-1].lstrip("# ") if above else ""


def _head(body: str) -> list[str]:
    lines = body[:SAMPLE].splitlines()
    return [line for line in (lines[:-1] if len(body) > SAMPLE else lines) if line.strip()][:SAMPLE_LINES]


def _header(path: Path, fields: list[list[str]], layout: Layout, wanted: Sequence[str], comment: list[str]) -> Header:
    if not layout.header:
        return Header([str(number + 1) for number in range(len(fields[0]))], 0)
    found = find_header(fields, wanted, comment)
    if found is None:
        raise NoHeader(
            f"{path}: its first line ({', '.join(fields[0])}) is a reading, not a header. Without a header, columns "
            "are called 1, 2, …: say so with --no-header (header: false)"
        )
    return found


def _tell(header: Header, notes: Notes) -> None:
    if header.preamble:
        notes.left_out.append(f"{counted(header.preamble, 'line')} above the header")
    for cells in header.units:
        notes.left_out.append(f"a line below the header that is no reading: {', '.join(filter(None, cells))}")


def _below(body: str, above: int) -> str:
    """The text below so many lines that are not empty."""
    position = 0
    for line in body[:SAMPLE].splitlines(keepends=True):
        if line.strip():
            if not above:
                break
            above -= 1
        position += len(line)
    return body[position:]


def _cells(path: Path, body: str, separator: str, header: Header, lines: Lines) -> pd.DataFrame:
    names = [str(number) for number in range(len(header.names))]
    wrong: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    if not body.strip():
        raise UsageError(f"{path}: there is no reading in it, only a header")
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(body.encode()),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 24),
            arrow_csv.ParseOptions(
                delimiter=separator,
                newlines_in_values='"' in body,
                invalid_row_handler=note,
            ),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from None
    if wrong:
        first = wrong[0]
        line = lines.number((first.number or 1) - 1)
        raise UsageError(
            f"{path}, line {line}: {counted(first.actual_columns, 'field')} where the header has {len(names)} "
            f"({first.text[:80]!r}); {counted(len(wrong), 'such line')}: mend the file"
        )
    return pd.DataFrame({name: pc.utf8_trim_whitespace(table[name]).to_pandas() for name in names})


def _named(path: Path, cells: pd.DataFrame, header: Header, separator: str, lines: Lines) -> Table:
    """Columns without a name are called by their number, columns of one name are numbered."""
    counts, seen = Counter(header.names), Counter[str]()
    given = []
    for number, name in enumerate(header.names, 1):
        seen[name] += 1
        given.append(f"column {number}" if not name else name if seen[name] == 1 else f"{name} ({seen[name]})")
    nameless = tuple(new for new, name in zip(given, header.names, strict=True) if not name)
    twice = tuple(name for name, count in counts.items() if name and count > 1)
    return Table(path, cells.set_axis(given, axis=1), separator, lines, nameless, twice)
