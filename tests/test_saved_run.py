"""A run that was recorded on a real cluster and travelled as a zip file: it is judged anew, and only when untouched.

The brokers' own log files were left out of it before it was sealed.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from factorylab.audit import write_verdict
from factorylab.runs import RunFolder, broken_seal
from factorylab.saved import load

ZIPPED = Path(__file__).parent / "runs" / "broker_loss.zip"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    with zipfile.ZipFile(ZIPPED) as archive:
        archive.extractall(tmp_path)
    return RunFolder(next(tmp_path.iterdir()))


def test_a_recorded_run_gives_the_same_verdict_again(folder: RunFolder) -> None:
    """The verdict on a real broker loss, recomputed from raw/ alone, has the very bytes of the first one."""
    first = (folder.derived / "verdict.json").read_bytes()
    verdict = write_verdict(load(folder.path))
    assert (verdict.verdict, broken_seal(folder)) == ("PASS", [])
    assert (folder.derived / "verdict.json").read_bytes() == first


def test_a_recorded_run_that_was_touched_is_invalid(folder: RunFolder) -> None:
    """One byte of the evidence changed after sealing, and the run proves nothing any more."""
    evidence = folder.raw / "manifest.json"
    evidence.write_bytes(evidence.read_bytes().replace(b'"problems": []', b'"problems":  []'))
    verdict = load(folder.path).verdict
    assert (verdict.verdict, broken_seal(folder)) == ("INVALID", ["manifest.json"])
