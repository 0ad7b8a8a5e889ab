"""Folders that cannot be used are refused before anything starts, with the variable that names another."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import cast

import pytest

from factorylab.cli import main
from factorylab.cluster import folders
from factorylab.cluster.base import Cluster
from factorylab.cluster.folders import Folder
from factorylab.cluster.local import postgres
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.names import Names
from factorylab.execution.runner import Experiment
from factorylab.history import run_folders
from factorylab.history.journal import Journal
from factorylab.history.unfinished import not_judged
from factorylab.scenarios.catalog import build

COMMANDS = (
    ("FACTORYLAB_RESULTS", ("run", "baseline")),
    ("FACTORYLAB_RESULTS", ("run", "baseline", "--keep")),
    ("FACTORYLAB_RESULTS", ("batch", "experiments/quick.yaml")),
    ("FACTORYLAB_HOME", ("up",)),
)


def unusable(tmp_path: Path, how: str) -> Path:
    """A folder that nobody can write to, not even root."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "else")
    return {"kernel's": Path("/proc/nowhere"), "file": tmp_path / "file", "below": tmp_path / "file" / "results",
            "link": tmp_path / "link"}[how]  # fmt: skip


@pytest.mark.parametrize("how", ["kernel's", "file", "below", "link"])
@pytest.mark.parametrize(("variable", "words"), COMMANDS, ids=lambda value: " ".join(value) * isinstance(value, tuple))
def test_a_folder_that_cannot_be_written_stops_a_command_at_once(
    tmp_path, monkeypatch, capsys, how, variable, words
):  # fmt: skip
    """One sentence with the folder and its variable, exit code 5, and no cluster was looked for."""
    folder = unusable(tmp_path, how)
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, str(folder))
    monkeypatch.setattr(sys, "argv", ["factorylab", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert ended.value.code == 5
    assert str(folder) in line and f"set {variable}" in line
    assert not (tmp_path / "home").exists()


def test_a_folder_to_be_made_is_as_good_as_the_one_above(tmp_path):
    """What is not there yet is no trouble, nothing is made by asking, and the nearest folder above decides."""
    Folder("a run", tmp_path / "a" / "b", "X", 0).check()
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_with_both_numbers(tmp_path, monkeypatch):
    """The refusal names what is free, what is needed and the way out."""
    full = shutil.disk_usage(tmp_path)._replace(free=255 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(EnvironmentUnfit, match=r"255 MB of free space and a run needs 256 MB: make room, or set X"):
        Folder("a run", tmp_path, "X", 256).check()


@pytest.mark.parametrize(
    "name", ["Prüfstand 7", "Pru\u0308fstand", "a,b;c=d", "100%25 #2", "'q' \"r\"", "$h:i\\j", "試験"]
)
def test_what_people_call_their_folders_is_taken(tmp_path, name):
    """Letters of any script, in either form of Unicode, and every sign: a lab can be there."""
    Folder("a lab", tmp_path / name, "X", 0).check()


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", os.fsdecode(b"Pr\xfcfstand")])
def test_what_no_file_can_hold_is_refused(tmp_path, name):
    """Control characters, and bytes that are no text in the encoding of file names."""
    with pytest.raises(EnvironmentUnfit, match="which utf-8 cannot encode: set X to a folder with another name"):
        Folder("a lab", tmp_path / name, "X", 0).check()


def test_what_ends_a_path_is_refused_where_it_does(tmp_path):
    """A colon in the cache would part the class path, a dollar in PostgreSQL's folder is the shell's."""
    with pytest.raises(EnvironmentUnfit, match=r"holds ':'.* set FACTORYLAB_CACHE"):
        folders.of_cache(tmp_path / "a:b").check()
    with pytest.raises(EnvironmentUnfit, match=r"holds '\$'.* set FACTORYLAB_POSTGRES_BIN"):
        postgres.find(tmp_path / "a$b")


def test_sockets_go_where_their_paths_fit(tmp_path, monkeypatch):
    """A long TMPDIR is left out for a short folder, a short one is taken."""
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert len(os.fsencode(folders.for_sockets())) + folders.SOCKET_NAME_BYTES <= folders.SOCKET_BYTES
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    assert folders.for_sockets() == Path("/var/tmp")
    monkeypatch.setattr(folders, "SHORT_PATHS", ())
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(EnvironmentUnfit, match=r"107 bytes with the socket's name.*set TMPDIR"):
        folders.for_sockets()


def test_a_run_is_broken_off_while_its_end_still_fits(tmp_path, monkeypatch):
    """Where the disk runs full the next phase is the last, instead of minutes of waiting for workers that ended."""
    run = run_folders.create(tmp_path, build("baseline", {}))
    experiment = Experiment(run.scenario(), run, cast(Cluster, None), Names.of(run.run_id), tmp_path, lambda text: None)
    with Journal(run.journals, "runner", "runner") as experiment.journal:
        experiment._phase("steady")
        full = shutil.disk_usage(tmp_path)._replace(free=15 * 2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
        with pytest.raises(EnvironmentUnfit, match="15 MB of free space and the rest of a run needs 16 MB"):
            experiment._phase("recover")


def test_a_reason_that_did_not_fit_on_the_disk_is_none(tmp_path):
    """A run whose reason is an empty file is listed without one."""
    run = run_folders.create(tmp_path, build("baseline", {}))
    (run.raw / run_folders.FAILED).touch()
    assert not_judged(run) == "not judged: it did not finish"
