"""Which runs of a batch share a lab."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from factorylab.cli import batch_commands
from factorylab.cluster.settings import load_settings
from factorylab.execution.notebook_run import Job


def labs_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *runs: dict[str, object]) -> list[tuple[list[int], object]]:
    """Of each lab that a batch of these runs takes: their numbers, and the version that is asked for."""
    taken: list[tuple[list[int], object]] = []

    def note(jobs: object, numbers: list[int], settings: object, faults: object, kafka: object) -> Sequence[object]:
        taken.append((numbers, kafka))
        return ()

    monkeypatch.setattr(batch_commands, "_on_one_lab", note)
    jobs = []
    for number, run in enumerate(runs):
        file = folder / f"{number}.yaml"
        file.write_text(yaml.safe_dump({"name": "one", **run}))
        jobs.append(Job(str(file), {}))
    assert list(batch_commands._carried_out(jobs, list(range(len(jobs))), load_settings())) == []
    return taken


def test_runs_on_one_version_share_a_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the plan stays: a lab lasts as long as its version is asked for."""
    new: dict[str, object] = {"topology": {"kafka": "4.4.0"}}
    assert labs_of(tmp_path, monkeypatch, {}, {}, new, new, {}) == [([0, 1], None), ([2, 3], "4.4.0"), ([4], None)]


def test_a_run_that_changes_the_version_has_its_own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets the brokers that it leaves, not even a repetition of itself."""
    change: dict[str, object] = {"faults": [{"kind": "upgrade", "target": "broker:1", "hold_s": 0}]}
    bounce: dict[str, object] = {"faults": [{"kind": "bounce", "target": "broker:1", "hold_s": 0}]}
    assert labs_of(tmp_path, monkeypatch, change, change, bounce, {}) == [([0], None), ([1], None), ([2, 3], None)]
