"""Journals of a test and the history that is made of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of journals beside one of history."""
    (tmp_path / "history").mkdir()
    (tmp_path / "journals").mkdir()
    return tmp_path / "journals"


def table(folder: Path, name: str) -> list[dict[str, object]]:
    return pq.read_table(folder.parent / "history" / f"{name}.parquet").to_pylist()
