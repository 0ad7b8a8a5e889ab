"""Which saved runs may go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.history import batch_record, run_folders
from factorylab.history.batch_record import Planned
from factorylab.history.prune import GOING_ON_S, fates, remove, size_bytes
from factorylab.history.run_folders import FAILED, RunFolder
from factorylab.scenarios.catalog import build

Make = Callable[..., RunFolder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(day: int, *, name: str = "baseline", sealed: bool = True) -> RunFolder:
        run = run_folders.create(tmp_path, build(name, {}))
        run = RunFolder(run.path.rename(run.path.with_name(f"202601{day:02d}T000000Z-0000{day:02d}")))
        if sealed:
            run_folders.seal(run)
        return run

    return made


def going(results: Path, keep: int = 1) -> dict[str, str]:
    """Run id → why it goes."""
    return {fate.path[-6:]: fate.why for fate in fates(results, keep) if fate.goes}


def aged(run: RunFolder) -> None:
    """As if nothing had changed for longer than a run that goes on leaves its folder alone."""
    then = time.time() - GOING_ON_S - 60
    for path in (run.path, *run.path.rglob("*")):
        os.utime(path, (then, then))


def test_the_latest_of_each_scenario_stay(make: Make, tmp_path: Path) -> None:
    """Of each scenario the latest finished runs stay, as many as wanted."""
    for day in (1, 2, 3):
        make(day)
    make(4, name="high_load")
    assert list(going(tmp_path)) == ["000001", "000002"] and list(going(tmp_path, 2)) == ["000001"]
    assert going(tmp_path, 3) == {}


def test_a_run_that_may_be_going_on_stays(make: Make, tmp_path: Path) -> None:
    """Without a seal a run goes only where it says that it failed, or nothing changed in it for an hour."""
    running, failed, abandoned = (make(day, sealed=False) for day in (1, 2, 3))
    (failed.raw / FAILED).write_text("interrupted\n")
    aged(abandoned)
    assert going(tmp_path) == {"000002": "it did not finish", "000003": "it did not finish"}
    remove(tmp_path, [fate for fate in fates(tmp_path, 1) if fate.goes])
    assert running.path.is_dir() and not failed.path.exists() and not abandoned.path.exists()


def test_what_a_batch_needs_to_go_on_stays(make: Make, tmp_path: Path) -> None:
    """A run that the record of a batch names stays beside the latest; a record that is none is refused."""
    runs = [make(day) for day in (1, 2, 3)]
    batch_record.write(tmp_path / "batch-own.json", [Planned(0, 0, str(runs[0].path.relative_to(tmp_path)))])
    assert list(going(tmp_path)) == ["000002"]
    (tmp_path / "batch-own.json").write_text("{")
    with pytest.raises(UsageError, match="not the record of a batch"):
        fates(tmp_path, 1)


def test_links_and_strangers_stay(make: Make, tmp_path: Path) -> None:
    """A link to a run, and a folder with somebody's own file in it, stay; what links lead to is untouched."""
    outside, noted, linked = (make(day) for day in (1, 2, 3))
    make(4)
    away = tmp_path / "away"
    outside.path.rename(away)
    outside.path.symlink_to(away, target_is_directory=True)
    (noted.path / "notes.txt").write_text("mine")
    (linked.derived / "elsewhere").symlink_to(away, target_is_directory=True)
    remove(tmp_path, [fate for fate in fates(tmp_path, 1) if fate.goes])
    assert noted.path.is_dir() and (away / "raw" / "seal.json").is_file() and not linked.path.exists()


def test_nothing_else_in_results_goes(make: Make, tmp_path: Path) -> None:
    """Records of campaigns, samples and pages stay whatever goes, and the folder of a scenario without runs goes."""
    (make(1, name="high_load", sealed=False).raw / FAILED).write_text("x\n")
    kept = [tmp_path / name for name in ("campaigns/failover.jsonl", "sample/report.html", "report.html")]
    for file in kept:
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    remove(tmp_path, fates(tmp_path, 1))
    assert all(file.is_file() for file in kept) and not (tmp_path / "high_load").exists()


def test_a_size_is_that_of_the_files(tmp_path: Path) -> None:
    """Bytes of all files below; a link counts as itself."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 1000)
    assert size_bytes(tmp_path) == 1000
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert 1000 < size_bytes(tmp_path) < 2000
