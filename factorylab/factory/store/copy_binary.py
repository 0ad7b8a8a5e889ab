"""PostgreSQL's binary COPY format, built by numpy: https://www.postgresql.org/docs/current/sql-copy.html

Each row is a 16-bit number of fields, then for each field its 32-bit length (-1 for null) and its bytes, big-endian.
Rows with the same nulls are fixed-width records. Bytes go as they are: in an INSERT they would be text, two characters
each, which both sides have to convert.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
FROM_STDIN = " FROM STDIN (FORMAT binary)"
TRAILER = b"\xff\xff"
NULL = -1  # as the length of a field
Columns = dict[str, NDArray[Any]]  # of equal lengths
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in UTC microseconds: the zero of timestamptz


def names(groups: Sequence[Columns]) -> list[str]:
    """The columns that any of the groups has, in order of first sight."""
    return list(dict.fromkeys(chain.from_iterable(groups)))


def copy_bytes(groups: Sequence[Columns]) -> bytes:
    """Groups of columns as the body of COPY … (`names(groups)`) FROM STDIN (FORMAT binary).

    Within a group lengths are equal and nothing is null; a column that a group lacks is null in its rows. Integers,
    floats and booleans keep their width, so it must be that of the table's column.
    """
    wanted = names(groups)
    return b"".join([HEADER, *(_rows(columns, wanted) for columns in groups), TRAILER])


def _rows(columns: Columns, wanted: Sequence[str]) -> bytes:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name in wanted:
        fields.append((f"{name} length", ">i4"))
        if name in columns:
            fields.append((name, columns[name].dtype.newbyteorder(">").str))
    rows = np.empty(len(next(iter(columns.values()))), np.dtype(fields))
    rows["fields"] = len(wanted)
    for name in wanted:
        rows[f"{name} length"] = columns[name].dtype.itemsize if name in columns else NULL
        if name in columns:
            rows[name] = columns[name]
    return rows.tobytes()


def copy_row(*values: str | int | bytes) -> bytes:
    """One row as the body of COPY … FROM STDIN (FORMAT binary); a number is an `integer` of 32 bits."""
    fields = [struct.pack(">i", v) if isinstance(v, int) else v.encode() if isinstance(v, str) else v for v in values]
    row = b"".join(struct.pack(">i", len(field)) + field for field in fields)
    return HEADER + struct.pack(">h", len(fields)) + row + TRAILER
