"""Runs that were recorded on a real cluster and travel as zip files.

    python -m tests.support.recorded_runs RUN_FOLDER …      packs finished runs as tests/runs/<scenario>.zip
    python -m tests.support.recorded_runs                   writes their verdicts anew, after a change of the audit

`schema_N` are runs of older versions of the history, which are still judged; the others are of the current one.

Of the brokers' logs, which are large, only the lines that `broker_log` and `control_log` understand are kept, without
the folders in them; the logs of other processes are left out. The run is sealed anew after that, and nothing else in
raw/ is touched.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from factorylab.analysis import broker_log, control_log
from factorylab.audit.judged import load
from factorylab.audit.kept_verdict import write_verdict
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from tests.support.places import RECORDED_RUNS

_ALL = sorted(file.stem for file in RECORDED_RUNS.glob("*.zip"))
OLD = [name for name in _ALL if name.startswith("schema_")]
NAMES = [name for name in _ALL if name not in OLD]


def unpack(name: str, folder: Path) -> RunFolder:
    """The run `name` as a folder of its own below `folder`."""
    with zipfile.ZipFile(RECORDED_RUNS / f"{name}.zip") as archive:
        archive.extractall(folder)
    return RunFolder(next(path for path in folder.iterdir() if (path / "raw").exists()))


def pack(run: RunFolder, name: str) -> None:
    """Zip a run with raw/ and its verdict; the same files give the same bytes."""
    write_verdict(load(run.path))
    files = [*run.raw.rglob("*"), run.verdict]
    with zipfile.ZipFile(RECORDED_RUNS / f"{name}.zip", "w") as archive:
        for file in sorted(path for path in files if path.is_file()):
            entry = zipfile.ZipInfo(f"{run.path.name}/{file.relative_to(run.path)}")
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def thin(run: RunFolder) -> None:
    """Keep of the logs what the audit reads, and seal the rest."""
    for log in run.logs.iterdir():
        lines = log.read_text(errors="replace").splitlines()
        told = [line for line in lines if broker_log.understood(line) or control_log.understood(line)]
        kept = [re.sub(r"(dir=| in )/[^] ]*", r"\1data", line) + "\n" for line in told]
        log.write_text("".join(kept)) if log.name.startswith("broker-") else log.unlink()
    run_folders.seal(run)


def main(folders: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for number, folder in enumerate(folders):
            run = RunFolder(Path(folder).resolve())
            copy = RunFolder(Path(scratch) / str(number) / run.path.name)
            shutil.copytree(run.path, copy.path)
            thin(copy)
            pack(copy, run.scenario().name)
        for name in [] if folders else _ALL:
            pack(unpack(name, Path(scratch) / name), name)


if __name__ == "__main__":
    main(sys.argv[1:])
