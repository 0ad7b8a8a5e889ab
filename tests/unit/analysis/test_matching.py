"""Matching of rows, held against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from factorylab.analysis.matching import latest, previous, shared_keys
from factorylab.core.clock import FOREVER_NS


def frame(seed: int, rows: int) -> pd.DataFrame:
    dice = np.random.default_rng(seed)
    words = pd.Categorical(dice.choice(["a", "b", "c"], rows), categories=dice.permutation(["a", "b", "c", "unused"]))
    return pd.DataFrame({"word": words, "n": dice.integers(0, 4, rows), "t_ns": dice.integers(0, 20, rows)})


@pytest.mark.parametrize(("left_rows", "right_rows"), [(0, 0), (0, 5), (5, 0), (1, 1), (40, 60)])
@pytest.mark.parametrize("seed", range(5))
def test_the_latest_row_of_a_key_is_that_of_merge_asof(seed: int, left_rows: int, right_rows: int) -> None:
    """For each row of one table the last of the other with the same words and numbers, then or before."""
    left, right = frame(seed, left_rows), frame(seed + 100, right_rows).sort_values("t_ns", kind="stable")
    right = right.reset_index(drop=True).assign(row=range(right_rows))
    keys = shared_keys((left["word"], left["n"].to_numpy()), (right["word"], right["n"].to_numpy()))
    found = latest(keys[0], left["t_ns"].to_numpy(), keys[1], right["t_ns"].to_numpy())
    asked = left.assign(at=range(left_rows)).sort_values("t_ns", kind="stable").astype({"word": str})
    both = pd.merge_asof(asked, right.astype({"word": str}), on="t_ns", by=["word", "n"])
    assert found.tolist() == both.sort_values("at")["row"].fillna(-1).astype(int).tolist()


def test_without_a_moment_the_last_of_all_is_found() -> None:
    """FOREVER_NS asks for the last row of a key whenever it was; with times turned round that is the first."""
    key, of_key, t_ns = np.array([1, 2, 3]), np.array([2, 1, 2, 1]), np.array([5, 6, 7, 8])
    assert latest(key, FOREVER_NS, of_key, t_ns).tolist() == [3, 2, -1]
    assert latest(key, FOREVER_NS, of_key, -t_ns).tolist() == [1, 0, -1]


@pytest.mark.parametrize("rows", [0, 1, 50])
def test_the_previous_row_of_a_group_is_that_of_a_shift(rows: int) -> None:
    """The row before, among those that agree in all columns."""
    told = frame(7, rows).assign(row=range(rows))
    number = told["word"].cat.codes.to_numpy()
    shifted = told.groupby(["word", "n"], observed=True)["row"].shift()
    assert previous(number, told["n"].to_numpy()).tolist() == shifted.fillna(-1).astype(int).tolist()
