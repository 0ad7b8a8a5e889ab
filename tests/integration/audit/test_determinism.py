"""A verdict is a function of raw/ alone: other processes, places and settings of the machine give the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from factorylab.audit.judged import load
from factorylab.cli.runs_commands import judge
from factorylab.core import scratch
from tests.support.places import ROOT
from tests.support.recorded_runs import NAMES, OLD, unpack

ELSEWHERE = [
    {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"},
    {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "42", "COLUMNS": "40"},
]
TRAVELLED = ("acked_loss", "broker_loss")  # a FAIL and a PASS: each costs two processes
PROGRAM = "import sys; from pathlib import Path; from factorylab.cli.main import main; sys.exit(main())"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the verdict and of each figure."""
    files = [folder / "verdict.json", *sorted((folder / "figures").glob("*.svg"))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("name", TRAVELLED)
def test_a_replay_elsewhere_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    """`factorylab replay` of the zipped run in two processes with other locale, time zone, hash seed and folder writes
    the verdict that travelled in the zip and the same figures, byte for byte."""
    found = []
    for number, variables in enumerate(ELSEWHERE):
        run = unpack(name, tmp_path / str(number))
        travelled = (run.derived / "verdict.json").read_bytes()
        environ = {**os.environ, **variables, "FACTORYLAB_RESULTS": str(tmp_path)}
        command = [sys.executable, "-c", PROGRAM, "replay", str(run.path)]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert "the same verdict as before" in done.stderr, done.stderr
        assert (run.derived / "verdict.json").read_bytes() == travelled
        found.append(digests(run.derived))
    assert found[0] == found[1] and len(found[0]) >= 5


@pytest.mark.parametrize("name", ("acked_loss", "network_partition", "high_load"))
def test_pieces_of_any_size_give_them_too(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worked through in many small chunks, with all that is kept in files, a run gives the verdict that travelled."""
    monkeypatch.setattr(scratch, "CHUNK", 997)
    monkeypatch.setattr(scratch, "IN_MEMORY", 1000)
    run = unpack(name, tmp_path)
    travelled = (run.derived / "verdict.json").read_bytes()
    assert msgspec.json.format(msgspec.json.encode(load(run.path).verdict), indent=2) + b"\n" == travelled


@pytest.mark.parametrize("name", [*NAMES, *OLD])
def test_this_process_gives_them_too(tmp_path: Path, name: str) -> None:
    """Judged in the process of the tests, whatever ran in it before, the verdict of a run of each scenario, and of each
    older version of the history, is the one that travelled."""
    run = unpack(name, tmp_path)
    travelled = (run.derived / "verdict.json").read_bytes()
    judge(run)
    assert (run.derived / "verdict.json").read_bytes() == travelled
