"""An engine that is full, or slow to remove: what is said, and what counts as removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import docker.errors
import pytest

from factorylab.cluster import folders
from factorylab.cluster.docker import engine, projects
from factorylab.core.errors import EnvironmentUnfit, LabError


def test_a_full_disk_of_the_engine_is_named() -> None:
    """What the engine refuses for want of space is trouble of the machine, with how to make room; else it is not."""
    full = docker.errors.APIError("500", explanation="mkdir /var/lib/docker/x: no space left on device")
    with (
        pytest.raises(EnvironmentUnfit, match=r"starting broker-1: mkdir .*docker system prune"),
        engine.asking("starting broker-1"),
    ):
        raise full
    with pytest.raises(LabError, match="refused: no such container") as caught, engine.asking("x"):
        raise docker.errors.APIError("404", explanation="no such container")
    assert caught.value.exit_code == 1


def test_a_full_data_folder_of_the_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little space where the engine keeps its data is refused before anything is made, with how to make room."""
    full = shutil.disk_usage(tmp_path)._replace(free=(folders.LAB_MB - 1) * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(EnvironmentUnfit, match=r"has 1023 MB of free space .* 1024 MB: .*docker system prune"):
        folders.check_room(tmp_path, "a lab", folders.LAB_MB, engine.ROOM)


class Holding:
    """The part of the engine's client that ends a project: each removal of its only container needs `tries`."""

    def __init__(self, tries: int) -> None:
        self.left, self.api = tries, self

    def containers(self, **filters: object) -> list[dict[str, object]]:
        return [{"Id": "1", "Labels": {projects.SERVICE_LABEL: "broker-1"}}] if self.left else []

    def remove_container(self, name: str, **how: object) -> None:
        self.left -= 1

    def networks(self, **filters: object) -> list[dict[str, object]]:
        return []

    def volumes(self, **filters: object) -> dict[str, None]:
        return {"Volumes": None}


def test_what_was_removed_slowly_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first round that took longer than all of it should and left nothing is a success; a project that somebody goes
    on starting is not waited for without end."""
    monkeypatch.setattr(projects, "REMOVED_S", 1e-9)
    assert projects.remove(Holding(1), "p") == ["broker-1"]  # type: ignore[arg-type]
    with pytest.raises(LabError, match="something keeps starting it"):
        projects.remove(Holding(1000), "p")  # type: ignore[arg-type]
