"""Cells to numbers: decimal commas, separated thousands, and what is no number: a hole.

Which of comma and point is the decimal one is told by cells that can be read in one way only, first those of the
column, then those of other columns, then by the file's separator: after `;`, tab and `|` a comma is decimal. Where
none of it tells, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes
from factorylab.detectors.recordings.table import Table

Floats = NDArray[np.float64]
Decimal = Literal[".", ","]
END = r"([eE][+-]?\d+)?$"
ONE_WAY: dict[Decimal, str] = {  # cells that only this decimal mark explains
    ",": rf"^[+-]?(\d{{1,3}}(\.\d{{3}})+,\d*|\d*,\d{{1,2}}|\d*,\d{{4,}}|(0|\d{{4,}})?,\d*|\d+,\d+[eE].*){END}"
    r"|^[+-]?\d{1,3}(\.\d{3}){2,}$",
    ".": rf"^[+-]?(\d{{1,3}}(,\d{{3}})+\.\d*|\d*\.\d{{1,2}}|\d*\.\d{{4,}}|(0|\d{{4,}})?\.\d*|\d+\.\d+[eE].*){END}"
    r"|^[+-]?\d{1,3}(,\d{3}){2,}$",
}
TWO_WAYS: dict[str, str] = {mark: rf"^[+-]?[1-9]\d{{0,2}}\{mark}\d{{3}}$" for mark in (".", ",")}
WHOLE: dict[Decimal, str] = {  # a number in this convention
    ".": rf"^[+-]?(\d{{1,3}}(,\d{{3}})+|\d*)(\.\d*)?{END}",
    ",": rf"^[+-]?(\d{{1,3}}(\.\d{{3}})+|\d*)(,\d*)?{END}",
}
GROUPED = r"(\d)[  \x{202F}'’](\d{3})\b"
FLAGS = {  # what loggers and spreadsheets write instead of a number, in small letters
    "nan", "-nan", "na", "n/a", "#n/a", "#na", "null", "none", "nil", "nat", "-", "--", "---", "?", ".", "*", "x",
    "inf", "-inf", "infinity", "-infinity", "bad", "bad input", "bad value", "no data", "nodata", "i/o timeout",
    "timeout", "comm fail", "error", "err", "offline", "shutdown", "not connect", "not connected", "missing", "fehler",
    "ungültig", "invalid", "out of range", "over range", "under range", "#value!", "#div/0!", "#ref!", "#name?",
    "#num!", "#null!",
}  # fmt: skip


@dataclass(frozen=True)
class Numbers:
    """`values` are NaN where there is none: `words` counts the texts that stood there instead, `empty` empty cells."""

    values: Floats
    words: dict[str, int]
    empty: int

    @property
    def count(self) -> int:
        return int(np.isfinite(self.values).sum())

    @property
    def strange(self) -> int:
        """Words that are not known to mean a hole."""
        return sum(count for word, count in self.words.items() if word.lower() not in FLAGS)

    @property
    def measured(self) -> bool:
        """Most cells that are neither empty nor known to mean a hole are numbers."""
        return self.count > self.strange


def read_numbers(table: Table, columns: Sequence[str], decimal: Decimal | None, notes: Notes) -> dict[str, Numbers]:
    """The numbers of some columns.

    Raises:
        UsageError: a column mixes decimal commas and points, or it cannot be known which is which.
    """
    cells = {name: pa.chunked_array(pa.array(table.cells[name], pa.string())) for name in columns}
    odd = [name for name in columns if decimal == "," or _cast(cells[name]) is None]
    cells |= {name: _tidy(cells[name]) for name in odd}
    marks = {name: decimal or _one_way(table, name, cells[name]) for name in odd}
    if "," in marks.values():  # then points may separate thousands in the other columns
        marks |= {name: decimal or _one_way(table, name, cells[name]) for name in columns if name not in marks}
    known = {mark for mark in marks.values() if mark}
    read = {}
    for name in columns:
        mark = (marks[name] or _by_others(table, name, cells[name], known, notes)) if name in marks else "."
        read[name] = _numbers(cells[name], mark)
    commas = [name for name in columns if marks.get(name) == "," and read[name].measured]
    if commas and decimal is None:
        notes.assumed.append(f"commas are decimal, as in {_example(cells[commas[0]], ',')!r} in {commas[0]!r}")
    return read


def _tidy(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without blanks and apostrophes between thousands, and with an ASCII minus."""
    if pc.any(pc.match_substring_regex(cells, GROUPED)).as_py():
        for _ in range(2):  # groups overlap
            cells = pc.replace_substring_regex(cells, GROUPED, r"\1\2")
    return pc.replace_substring(cells, "−", "-")


def _has(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _example(cells: pa.ChunkedArray, pattern: str) -> str:
    return str(pc.filter(cells, pc.match_substring_regex(cells, pattern))[0])


def _one_way(table: Table, name: str, cells: pa.ChunkedArray) -> Decimal | None:
    """The mark that the column itself tells, or None."""
    comma, point = (_has(cells, ONE_WAY[mark]) for mark in (",", "."))
    if comma and point:
        one, other = (_example(cells, ONE_WAY[mark]) for mark in (",", "."))
        raise UsageError(
            f"{table.path}: the column {name!r} mixes decimal commas and points ({one!r}, {other!r}): mend the file, "
            "or leave the column out"
        )
    return "," if comma else "." if point else None


def _by_others(table: Table, name: str, cells: pa.ChunkedArray, known: set[Decimal], notes: Notes) -> Decimal:
    found = next((mark for mark in (",", ".") if _has(cells, TWO_WAYS[mark])), None)
    if found is None:
        return "."
    example = _example(cells, TWO_WAYS[found])
    if len(known) == 1:
        (mark,) = known
    elif table.separator != "," or found == ".":
        mark = "," if found == "," else "."
    else:
        raise UsageError(
            f"{table.path}: {example!r} in column {name!r} can be read in two ways: say with --decimal whether "
            "',' or '.' is the decimal mark"
        )
    if found == mark == ".":
        return mark
    value = _numbers(pa.chunked_array([[example]]), mark).values[0]
    notes.assumed.append(f"{example!r} in {name!r} is read as {value:g}; if that is wrong, say so with --decimal")
    return mark


def _numbers(cells: pa.ChunkedArray, mark: Decimal) -> Numbers:
    empty = pc.equal(cells, "")
    values = _cast(cells) if mark == "." else None
    if values is None:
        values = _each(cells, mark)
    values = np.where(np.isfinite(values), values, np.nan)
    holes = np.isnan(values)
    missing = int(pc.sum(pc.cast(empty, pa.int64())).as_py() or 0)
    words: dict[str, int] = {}
    if int(holes.sum()) > missing:
        words = _filled(cells).to_pandas()[holes].dropna().value_counts().to_dict()
    return Numbers(values, words, missing)


def _filled(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)


def _cast(cells: pa.ChunkedArray) -> Floats | None:
    """The numbers where every filled cell is one with a decimal point, else None."""
    try:
        values: Floats = pc.cast(_filled(cells), pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return values


def _each(cells: pa.ChunkedArray, mark: Decimal) -> Floats:
    """Cell by cell: NaN where it is no number in this convention."""
    fits = pc.match_substring_regex(cells, WHOLE[mark])
    own = pc.if_else(fits, cells, pa.scalar(None, pa.string()))
    text = pc.replace_substring(own, "." if mark == "," else ",", "")
    text = pc.replace_substring(text, ",", ".")
    values: Floats = pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return values


def without(numbers: Numbers, cells: pd.Series, missing: Sequence[str]) -> Numbers:
    """The same with holes where a value means "no reading", and those counted among the words."""
    gone = np.zeros(len(cells), bool)
    words = dict(numbers.words)
    for value in missing:
        same = cells.str.casefold().to_numpy() == value.casefold()
        if re.fullmatch(WHOLE["."], value) and any(map(str.isdigit, value)):
            same = same | (numbers.values == float(value.replace(",", "")))
        if same.any():
            words = {word: count for word, count in words.items() if word.casefold() != value.casefold()}
            words[value] = int(same.sum())
        gone |= same
    return Numbers(np.where(gone, np.nan, numbers.values), words, numbers.empty) if gone.any() else numbers
