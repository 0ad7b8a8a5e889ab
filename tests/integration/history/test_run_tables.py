"""A run's tables from frames in memory are what they would be, had they been written and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from factorylab.history.run_tables import FrameTables
from factorylab.history.tables import TABLES
from tests.support.histories import History, broker_loss, consumer_loss, healthy, network_partition


@pytest.mark.parametrize("make", [healthy, broker_loss, consumer_loss, network_partition])
def test_frames_are_taken_as_if_they_had_been_stored(tmp_path: Path, make: Callable[[Path], History]) -> None:
    """Every table, its row count and the verdict are equal to those of the same run on disk; of the checks only the
    seal's counts differ, since no table is a file."""
    held, read = make(tmp_path).run(), make(tmp_path).saved()
    for table in TABLES:
        frames = held.frame(table), read.frame(table)
        pd.testing.assert_frame_equal(*frames, check_categorical=False, check_column_type=False)
        assert held.row_count(table) == read.row_count(table)
    told = [[c for c in run.verdict.checks if c.name != "seal"] for run in (held, read)]
    assert told[0] == told[1] and held.missing() == read.missing() == []


def test_a_number_in_a_frame_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A partition beyond the dense type's range is an error that names the column; it never becomes another one."""
    log = healthy(tmp_path)["log"]
    wide = FrameTables({"log": log.assign(partition=2**16)})
    with pytest.raises(ValueError, match="partition: a number does not fit into int16"):
        wide.frame("log", ("partition",))


def test_a_column_that_is_not_in_a_frame_was_not_recorded(tmp_path: Path) -> None:
    """A frame without a column that each row must have is told as incomplete; what may be unknown can be left out."""
    history = healthy(tmp_path)
    history["sends"] = history["sends"].drop(columns=["payload_hash", "t_ack_ns"])
    assert history.run().missing() == ["sends.payload_hash"]
