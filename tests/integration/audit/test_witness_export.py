"""An extract travels with a test of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from factorylab.audit.extract import extract
from factorylab.history.saved_run import Run
from tests.support.losses import isolated, lossy

__all__ = ["lossy"]  # fixtures


def test_an_extract_comes_with_a_test_that_finds_it_again(lossy: Run, tmp_path: Path) -> None:
    """The tests beside two extracts pass in one call, tell the same event, and fail once the finding is gone."""
    assert lossy.verdict.life is not None
    small = extract(lossy, lossy.verdict.life, tmp_path / "small")
    assert [story.event for story in small.verdict.explanations] == [s.event for s in lossy.verdict.explanations]
    other = isolated(tmp_path / "other").saved()
    assert other.verdict.life is not None
    extract(other, other.verdict.life, tmp_path / "second")
    folders = [str(tmp_path / "small"), str(tmp_path / "second")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (tmp_path / "small" / "raw" / "history" / "sends.parquet").unlink()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
