"""Big tables by the chunk: some columns of so many rows at a time, as arrays; nothing else of them is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[Any]
Mask = NDArray[np.bool_]
UNKNOWN = -1


@dataclass(frozen=True)
class Text:
    """A column of words: `codes` (by row, −1 for none) are positions in `words`."""

    codes: Ints
    words: tuple[str, ...]

    @property
    def known(self) -> Mask:
        found: Mask = self.codes >= 0
        return found

    def are(self, word: str) -> Mask:
        found: Mask = self.codes == (self.words.index(word) if word in self.words else len(self.words))
        return found

    def used(self) -> set[str]:
        """The words that some row has; "nan" where a row has none."""
        there = np.bincount(self.codes + 1, minlength=len(self.words) + 1) > 0
        return {word for word, is_used in zip(("nan", *self.words), there, strict=True) if is_used}

    def coded(self, codes: Mapping[str, int], dtype: str) -> Ints:
        """By row: the code of its word."""
        return np.array([codes[word] for word in self.words] or [0], dtype)[self.codes]


@dataclass(frozen=True)
class Chunk:
    """Rows `start` … `start` + `count` − 1 of a table: numbers by `chunk["seq"]`, words by `chunk.text("worker")`."""

    start: int
    count: int
    columns: Mapping[str, Ints | Text]

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.count)

    def __getitem__(self, name: str) -> Ints:
        found = self.columns[name]
        if isinstance(found, Text):
            raise TypeError(f"{name} is a column of words")
        return found

    def only(self, chosen: Mask) -> Chunk:
        """Some of the rows, whose numbers in the table are no longer known."""
        if chosen.all():
            return self
        columns = {
            name: Text(of.codes[chosen], of.words) if isinstance(of, Text) else of[chosen]
            for name, of in self.columns.items()
        }
        return Chunk(self.start, int(np.count_nonzero(chosen)), columns)

    def text(self, name: str) -> Text:
        found = self.columns[name]
        return found if isinstance(found, Text) else Text(np.full(self.count, UNKNOWN), ())


def of_arrow(column: pa.Array, dtype: str) -> Ints | Text:
    """A column as it is stored; nulls of numbers become UNKNOWN."""
    if dtype == "category":
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes = pc.fill_null(coded.indices, UNKNOWN).to_numpy(zero_copy_only=False)
        return Text(codes, tuple(coded.dictionary.to_pylist()))
    whole = pc.fill_null(column, UNKNOWN) if column.null_count else column
    found: Ints = whole.cast(dtype).to_numpy(zero_copy_only=False)
    return found


def of_frame(values: Any, rows: slice) -> Ints | Text:
    """Some rows of a frame's column as `run_tables` casts it."""
    if isinstance(values, pd.Categorical):
        return Text(values.codes[rows], tuple(map(str, values.categories)))
    return np.asarray(values)[rows]
