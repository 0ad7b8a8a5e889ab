"""Saved runs are judged anew from their folder, and only when untouched; also one that was recorded on a real cluster
and travelled as a zip file.

The brokers' own log files were left out of it before it was sealed.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factorylab.audit.judged import load
from factorylab.audit.kept_verdict import write_verdict
from factorylab.audit.model.verdict import Verdict
from factorylab.history.run_folders import RunFolder, broken_seal
from tests.support.histories import broker_loss, healthy
from tests.support.places import RECORDED_RUNS
from tests.support.recorded_runs import unpack

ZIPPED = RECORDED_RUNS / "broker_loss.zip"


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


def test_a_recorded_loss_is_explained_from_its_folder(tmp_path: Path) -> None:
    """acks=1, frozen followers, dead leader on a real cluster: all lost readings in one story, with the line in which
    the old leader's log was cut. (The machine was busy: its steady state was none, which is told as well.)
    """
    verdict = load(unpack("schema_2", tmp_path).path).verdict
    counts = {check.name: check.count for check in verdict.checks}
    (story,) = [told for told in verdict.explanations if told.check == "lost_in_log"]
    assert (verdict.verdict, story.count, story.prevented_by) == ("FAIL", counts["lost_in_log"], "acks=all")
    assert counts["lost_in_log"] == counts["inconsistent_offset"] == story.last_offset - story.first_offset + 1
    assert story.event.startswith("truncated to the end of the new leader, broker ")
    assert any(f"Truncating to offset {story.first_offset}" in text for text in story.evidence)
    assert verdict.life is not None and "truncated" in [moment.step for moment in verdict.life.moments]
    assert verdict.exposure is not None and verdict.exposure.low >= story.count


def test_a_recorded_run_that_was_touched_is_invalid(folder: RunFolder) -> None:
    """One byte of the evidence changed after sealing, and the run proves nothing any more."""
    evidence = folder.raw / "manifest.json"
    evidence.write_bytes(evidence.read_bytes().replace(b'"problems": []', b'"problems":  []'))
    verdict = load(folder.path).verdict
    assert (verdict.verdict, broken_seal(folder)) == ("INVALID", ["manifest.json"])


def test_the_verdict_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Judging a saved run twice writes the same verdict.json, which reads back as the same verdict."""
    path = broker_loss(tmp_path).saved().folder.path
    texts = []
    for _ in range(2):
        verdict = write_verdict(load(path))
        texts.append((path / "derived" / "verdict.json").read_bytes())
    assert texts[0] == texts[1] and msgspec.json.decode(texts[0], type=Verdict) == verdict


def test_a_number_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A partition beyond the dense type's range is an error that names it; it never becomes another partition."""
    run = healthy(tmp_path).saved()
    table = pq.read_table(run.folder.table("log"))
    wide = pa.array([2**16] * len(table), pa.int32())
    pq.write_table(table.set_column(table.column_names.index("partition"), "partition", wide), run.folder.table("log"))
    with pytest.raises(pa.ArrowInvalid, match="65536"):
        run.frame("log", "partition")
