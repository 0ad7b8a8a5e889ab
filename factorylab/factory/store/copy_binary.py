"""PostgreSQL's binary COPY format, built by numpy: https://www.postgresql.org/docs/current/sql-copy.html

Each row is a 16-bit number of fields, then for each field its 32-bit length and its bytes, all big-endian. Fixed-width
columns without nulls make a row a fixed-width record. Bytes go as they are: in an INSERT they would be text, two
characters each, which both sides have to convert.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
FROM_STDIN = " FROM STDIN (FORMAT binary)"
TRAILER = b"\xff\xff"
Columns = dict[str, NDArray[Any]]  # of equal lengths
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in UTC microseconds: the zero of timestamptz


def copy_bytes(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Columns (equal lengths, no nulls) as the body of COPY … FROM STDIN (FORMAT binary).

    Integers, floats and booleans keep their width, so it must be that of the table's column.
    """
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns.items():
        fields += [(f"{name} length", ">i4"), (name, column.dtype.newbyteorder(">").str)]
    rows = np.empty(len(next(iter(columns.values()))), np.dtype(fields))
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"{name} length"], rows[name] = column.dtype.itemsize, column
    return HEADER + rows.tobytes() + TRAILER


def copy_row(*values: str | int | bytes) -> bytes:
    """One row as the body of COPY … FROM STDIN (FORMAT binary); a number is an `integer` of 32 bits."""
    fields = [struct.pack(">i", v) if isinstance(v, int) else v.encode() if isinstance(v, str) else v for v in values]
    row = b"".join(struct.pack(">i", len(field)) + field for field in fields)
    return HEADER + struct.pack(">h", len(fields)) + row + TRAILER
