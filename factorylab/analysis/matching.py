"""Rows that belong together: by what they have in common, and by time. With numpy alone, since most tables are small,
and a grouping of pandas costs as much for ten rows as for ten thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.readings import Ints, place


def shared_keys(left: Sequence[Any], right: Sequence[Any]) -> tuple[Ints, Ints]:
    """A number for each row of two tables, given as columns in the same order: arrays of integers, or categories. Rows
    of either table have the same number where they agree in all columns."""
    size = len(left[0])
    key = np.zeros(size + len(right[0]), np.int64)
    for one, other in zip(left, right, strict=True):
        both = _words(one, other) if isinstance(one, pd.Series) else np.concatenate([one, other])
        known, number = np.unique(both, return_inverse=True)
        key = key * max(len(known), 1) + number
    return key[:size], key[size:]


def _words(one: pd.Series[str], other: pd.Series[str]) -> Ints:
    """Numbers for the words of two columns of categories."""
    number: dict[str, int] = {}
    parts = []
    for column in (one, other):
        of = np.array([number.setdefault(str(word), len(number)) for word in column.cat.categories] + [-1])
        parts.append(of[column.cat.codes.to_numpy()])
    return np.concatenate(parts)


def latest(key: Ints, t_ns: Ints | int, of_key: Ints, of_t_ns: Ints) -> Ints:
    """By row of `key`: the last of the others that has the same key, at `t_ns` or before; −1 where there is none. Of
    several at one moment the last."""
    size = len(of_key)
    keys = np.concatenate([of_key, key])
    moments = np.concatenate([of_t_ns, np.broadcast_to(t_ns, len(key))])
    order = np.lexsort((np.arange(len(keys)) >= size, moments, keys))
    before = np.maximum.accumulate(np.where(order < size, np.arange(len(order)), -1))
    found = np.where(before >= 0, order[before], -1)
    found[keys[found] != keys[order]] = -1
    mine = order >= size
    rows = np.empty(len(key), np.int64)
    rows[order[mine] - size] = found[mine]
    return rows


def polls_of(commits: pd.DataFrame, reads: pd.DataFrame) -> Ints:
    """By transaction: the row of its processor's last poll before it that ended where it ends, −1 for none."""
    key, of_key = shared_keys(
        (commits["worker"], place(commits["partition"].to_numpy(), commits["to_offset"].to_numpy() - 1)),
        (reads["worker"], place(reads["partition"].to_numpy(), reads["last_offset"].to_numpy())),
    )
    return latest(key, commits["t_ns"].to_numpy(), of_key, reads["t_ns"].to_numpy())


def previous(*columns: Ints) -> Ints:
    """By row: the one before it that agrees in all columns, −1 where it is the first."""
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    rows = np.full(len(order), -1, np.int64)
    rows[order[1:]] = np.where(same, order[:-1], -1)
    return rows
